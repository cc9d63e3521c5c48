// Reads redacted bodies with the vendors' SDKs, from the server named, and prints what they make of them as JSON.
const { OpenAI } = require("openai");
const { Anthropic } = require("@anthropic-ai/sdk");

const base = process.argv[2];
const told = {};
const client = (body) => new OpenAI({ apiKey: "none", baseURL: `${base}/${body}`, maxRetries: 0 });
const claude = (body) => new Anthropic({ apiKey: "none", baseURL: `${base}/${body}`, maxRetries: 0 });
const ask = { model: "m", messages: [{ role: "user", content: "?" }] };

async function main() {
  let whole = await client("chat").chat.completions.create(ask);
  told["chat.text"] = whole.choices[0].message.content;
  told["chat.arguments"] = whole.choices[0].message.tool_calls[0].function.arguments;
  told["chat.tokens"] = whole.choices[0].logprobs.content.map((t) => t.token).join("");
  told["chat.bytes"] = Buffer.from(whole.choices[0].logprobs.content.flatMap((t) => t.bytes)).toString();

  told["chat-stream.text"] = "";
  told["chat-stream.arguments"] = "";
  for await (const chunk of await client("chat-stream").chat.completions.create({ ...ask, stream: true })) {
    for (const choice of chunk.choices) {
      told["chat-stream.text"] += choice.delta.content ?? "";
      for (const call of choice.delta.tool_calls ?? []) {
        told["chat-stream.arguments"] += call.function.arguments ?? "";
      }
    }
  }

  whole = await client("responses").responses.create({ model: "m", input: "?" });
  told["responses.text"] = whole.output_text;
  told["responses.arguments"] = whole.output[1].arguments;
  told["responses-stream.text"] = "";
  for await (const event of await client("responses-stream").responses.create({ model: "m", input: "?", stream: true })) {
    if (event.type === "response.output_text.delta") told["responses-stream.text"] += event.delta;
    if (event.type === "response.completed") {
      told["responses-stream.completed"] = event.response.output[0].content[0].text;
    }
  }

  const embeddings = await client("embeddings").embeddings.create({ model: "m", input: "?" });
  told["embeddings.count"] = embeddings.data[0].embedding.length;

  try {
    await client("error").chat.completions.create(ask);
  } catch (error) {
    told["error.text"] = error.error.message;
  }

  ask.max_tokens = 9;
  let message = await claude("anthropic").messages.create(ask);
  told["anthropic.text"] = message.content[0].text;
  told["anthropic.arguments"] = JSON.stringify(message.content[1].input);
  message = await claude("anthropic-stream").messages.stream(ask).finalMessage();
  told["anthropic-stream.thinking"] = message.content[0].thinking;
  told["anthropic-stream.text"] = message.content[1].text;
  told["anthropic-stream.arguments"] = JSON.stringify(message.content[2].input);
  console.log(JSON.stringify(told));
}

main();
