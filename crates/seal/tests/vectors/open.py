#!/usr/bin/env python3
"""Opens the vectors by docs/format.md alone, sharing no code with the crate.

    pip install cryptography zstandard
    python3 open.py

Exit status 0 if every record does what vectors.toml says. Needs Python 3.11.
"""

import hashlib
import hmac
import json
import struct
import sys
import tomllib
from pathlib import Path

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FOLDER = Path(__file__).parent
LIMIT = 64 << 20
DICTIONARIES = {
    0: None,
    1: zstandard.ZstdCompressionDict(
        (FOLDER / "../../dictionaries/1.zdict").read_bytes(), dict_type=zstandard.DICT_TYPE_FULLDICT
    ),
}


class Refused(Exception):
    pass


def check(condition, kind):
    if not condition:
        raise Refused(kind)


def padme(length):
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (length + mask) & ~mask


def derive(leaf, account, address):
    extracted = hmac.digest(b"oubliette/v1/record", leaf, "sha512")
    info = b"oubliette/v1/record/AEAD_AES_256_GCM\0" + account + address
    output = hmac.digest(extracted, info + b"\x01", "sha512")
    return output[:32], output[32:]


def open_record(record, leaf, account, address):
    # The clear header.
    check(len(record) >= 72, "malformed")
    magic, version, compression, flags, dictionary, length = struct.unpack(">4sBBHII", record[:16])
    check(magic == b"OUBR", "malformed")
    check(version == 1, "unsupported_version")
    check((compression, flags) == (1, 0) and dictionary in DICTIONARIES, "unsupported_version")
    check(length <= 1 << 30 and padme(length) == length, "malformed")
    check(len(record) == 72 + 12 + length + 16, "malformed")

    # Place, commitment, tag.
    key, commitment = derive(leaf, account, address)
    check(record[16:40] == account + address, "authentication")
    check(hmac.compare_digest(record[40:72], commitment), "authentication")
    try:
        padded = AESGCM(key).decrypt(record[72:84], record[84:], record[:72])
    except InvalidTag:
        raise Refused("authentication") from None

    # Padding.
    check(len(padded) >= 4, "malformed")
    (frame_len,) = struct.unpack(">I", padded[:4])
    check(padme(4 + frame_len) == len(padded) and not any(padded[4 + frame_len :]), "malformed")
    frame = padded[4 : 4 + frame_len]

    # One zstd frame that says its size.
    check(frame[:4] == b"\x28\xb5\x2f\xfd", "malformed")
    size = zstandard.frame_content_size(frame)
    check(size >= 0, "malformed")
    check(size <= LIMIT, "too_large")
    unpacker = zstandard.ZstdDecompressor(dict_data=DICTIONARIES[dictionary]).decompressobj()
    try:
        payload = unpacker.decompress(frame)
    except zstandard.ZstdError:
        raise Refused("malformed") from None
    check(unpacker.eof and not unpacker.unused_data and len(payload) == size, "malformed")

    # The payload.
    check(len(payload) >= 9, "malformed")
    version, metadata_len, exchange_len = struct.unpack(">BII", payload[:9])
    check(version == 1, "unsupported_version")
    exchange_at = 9 + metadata_len
    body_at = exchange_at + exchange_len
    check(body_at <= len(payload), "malformed")
    try:
        metadata = json.loads(payload[9:exchange_at])
    except ValueError:
        raise Refused("malformed") from None
    check(metadata.keys() == {"content_type", "report"}, "malformed")
    return metadata, payload[exchange_at:body_at], payload[body_at:]


def outcome(vector):
    record = (FOLDER / vector["file"]).read_bytes()
    place = (bytes.fromhex(vector[field]) for field in ("leaf", "account", "address"))
    try:
        metadata, exchange, body = open_record(record, *place)
    except Refused as refused:
        return str(refused), None
    report = metadata["report"]
    opened = {
        "body_len": len(body),
        "body_sha256": hashlib.sha256(body).hexdigest(),
        "exchange": exchange.hex(),
        "findings": sum(report["findings"].values()),
    }
    if metadata["content_type"] is not None:
        opened["content_type"] = metadata["content_type"]
    if "unredacted_by" in report and "decoded_from" in report:
        opened["content_encoding"] = report["decoded_from"]
    return "opens", opened


def main():
    vectors = tomllib.loads((FOLDER / "vectors.toml").read_text())["vector"]
    wrong = 0
    for vector in vectors:
        expected = (vector["expect"], vector.get("opened"))
        if (found := outcome(vector)) != expected:
            wrong += 1
            print(f"{vector['file']}: expected {expected}, found {found}")
    print(f"{len(vectors)} vectors, {wrong} wrong")
    return 1 if wrong or not vectors else 0


if __name__ == "__main__":
    sys.exit(main())
