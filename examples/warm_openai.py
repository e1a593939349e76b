"""Measure how much sooner OpenAI's first word comes on a warm line.

    OPENAI_API_KEY=... python examples/warm_openai.py [--rounds 5] [--model MODEL] [--certificate PEM]

The SDK is asked in turn over a connection opened for the request, and over lines that stand open.
OPENAI_BASE_URL names another server that speaks chat completions.
"""

from __future__ import annotations

import argparse
import ssl
from statistics import median

import anyio
import httpx2
from openai import AsyncOpenAI, DefaultAsyncHttpx2Client

from warmline.pool import Lines


async def first_word_ms(client: AsyncOpenAI, model: str) -> float:
    """Ask; return how long the first word took, and leave the rest, as an interruption would."""
    began_s = anyio.current_time()
    async with await client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Count to twenty."}], stream=True
    ) as answer:
        async for chunk in answer:
            if chunk.choices and chunk.choices[0].delta.content:
                return (anyio.current_time() - began_s) * 1000
    raise SystemExit(f"{model} said nothing")


async def main(model: str, rounds: int, certificate: str | None) -> None:
    """Ask in turn, and print the medians."""
    tls = ssl.create_default_context()
    if certificate is not None:
        tls.load_verify_locations(certificate)
    keep_none = httpx2.Limits(max_keepalive_connections=0)
    async with Lines(certificate=certificate) as lines:
        cold = AsyncOpenAI(http_client=DefaultAsyncHttpx2Client(verify=tls, limits=keep_none))
        endpoint = await lines.endpoint("openai", str(cold.base_url))
        warm = AsyncOpenAI(http_client=lines.httpx2_client())
        await endpoint.pool.until_warm()
        # The first of each pays for what the SDK prepares once.
        pairs = [
            (await first_word_ms(cold, model), await first_word_ms(warm, model)) for _ in range(rounds + 1)
        ]
        await cold.close()
    cold_ms, warm_ms = (median(times) for times in zip(*pairs[1:], strict=True))
    print(f"first word: cold {cold_ms:.0f} ms, warm {warm_ms:.0f} ms (medians of {rounds})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure OpenAI's first word, cold against warm.")
    parser.add_argument("--model", default="gpt-5.4-mini")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--certificate", help="a PEM file of authorities to trust beyond the machine's own")
    arguments = parser.parse_args()
    anyio.run(main, arguments.model, arguments.rounds, arguments.certificate)
