"""Meaning: frame -> faces -> crops -> scores -> window -> fusion -> verdict. No asyncio, no torch."""
