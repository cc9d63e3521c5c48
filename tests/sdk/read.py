# Reads redacted bodies with the vendors' SDKs, from the server named, and prints what they make of them as JSON.
import json
import sys

import anthropic
import openai

base = sys.argv[1]
told = {}


def client(body):
    return openai.OpenAI(api_key="none", base_url=f"{base}/{body}", max_retries=0)


ask = {"model": "m", "messages": [{"role": "user", "content": "?"}]}

whole = client("chat").chat.completions.create(**ask)
told["chat.text"] = whole.choices[0].message.content
told["chat.arguments"] = whole.choices[0].message.tool_calls[0].function.arguments
told["chat.tokens"] = "".join(t.token for t in whole.choices[0].logprobs.content)
told["chat.bytes"] = b"".join(bytes(t.bytes) for t in whole.choices[0].logprobs.content).decode()

told["chat-stream.text"] = ""
told["chat-stream.arguments"] = ""
for chunk in client("chat-stream").chat.completions.create(stream=True, **ask):
    for choice in chunk.choices:
        told["chat-stream.text"] += choice.delta.content or ""
        for call in choice.delta.tool_calls or []:
            told["chat-stream.arguments"] += call.function.arguments or ""

whole = client("responses").responses.create(model="m", input="?")
told["responses.text"] = whole.output_text
told["responses.arguments"] = whole.output[1].arguments

told["responses-stream.text"] = ""
for event in client("responses-stream").responses.create(model="m", input="?", stream=True):
    if event.type == "response.output_text.delta":
        told["responses-stream.text"] += event.delta
    if event.type == "response.completed":
        told["responses-stream.completed"] = event.response.output_text

told["embeddings.count"] = len(client("embeddings").embeddings.create(model="m", input="?").data[0].embedding)

try:
    client("error").chat.completions.create(**ask)
except openai.APIStatusError as error:
    told["error.text"] = error.body["message"]

told["transcription.text"] = (
    client("transcription").audio.transcriptions.create(model="m", file=b"RIFF").text
)

claude = anthropic.Anthropic(api_key="none", base_url=f"{base}/anthropic", max_retries=0)
ask["max_tokens"] = 9
message = claude.messages.create(**ask)
told["anthropic.text"] = message.content[0].text
told["anthropic.arguments"] = json.dumps(message.content[1].input)
claude = anthropic.Anthropic(api_key="none", base_url=f"{base}/anthropic-stream", max_retries=0)
with claude.messages.stream(**ask) as stream:
    message = stream.get_final_message()
told["anthropic-stream.thinking"] = message.content[0].thinking
told["anthropic-stream.text"] = message.content[1].text
told["anthropic-stream.arguments"] = json.dumps(message.content[2].input)

print(json.dumps(told))
