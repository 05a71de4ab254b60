"""Verdicts and their reasons in plain words."""

from collections.abc import Sequence

VERDICT_WORDS = {
    "authentic": "no sign of a synthetic face was found",
    "suspicious": "some signs of a synthetic face; not enough to be sure",
    "manipulated": "strong signs that the face is synthetic",
    "uncertain": "nothing can be said",
    "warming": "not enough has been seen yet",
}
REASON_WORDS = {
    "no_face": "no face was found",
    "no_frames": "there is no picture in it",
    "no_evidence": "the last usable look is too long ago",
    "too_short": "too little of a face was seen",
    "inconclusive": "the signs point neither way",
    "part_of_the_time": "only a part of the video looks synthetic",
    "face_too_small": "the face is too small",
    "blurred": "the picture is blurred",
    "too_dark": "the face is too dark",
    "too_bright": "the face is too bright",
    "turned_away": "the face is turned away",
    "not_a_face": "what was tracked is probably not a face",
}


def reason_words(reason: str) -> str:
    """A reason's code in plain words."""
    return REASON_WORDS.get(reason, reason.replace("_", " "))


def sentence(verdict: str, reasons: Sequence[str]) -> str:
    """A verdict and its reasons as one line."""
    said = VERDICT_WORDS.get(verdict, verdict)
    return f"{said} ({'; '.join(reason_words(reason) for reason in reasons)})" if reasons else said


def probability(p_fake: float | None) -> str:
    """A probability for people; a missing one is a dash, never a number."""
    return "-" if p_fake is None else f"{p_fake:.2f}"
