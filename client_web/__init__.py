"""The overlay client: plain ES modules served by ``unmask serve``."""
