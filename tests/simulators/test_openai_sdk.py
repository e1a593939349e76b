"""The official OpenAI SDK, unchanged, against the simulated OpenAI over real TLS."""

import io
import ssl
import time
import wave

import httpx2
import numpy as np
import pytest
from openai import (
    APIConnectionError,
    APIError,
    AsyncOpenAI,
    AuthenticationError,
    BadRequestError,
    DefaultAsyncHttpxClient,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)
