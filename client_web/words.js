// What the codes of the wire mean in plain words.

export const STATES = {
  authentic: { word: "authentic", says: "No sign of a synthetic face." },
  suspicious: { word: "suspicious", says: "Some signs of a synthetic face; not enough to be sure." },
  manipulated: { word: "manipulated", says: "Strong signs that the face is synthetic." },
  uncertain: { word: "uncertain", says: "Nothing can be said." },
  warming: { word: "looking", says: "Not enough has been seen yet." },
};

export const BRANCHES = {
  spatial: "Single frames",
  mri: "Synthesis map",
  temporal: "Motion",
};

const REASONS = {
  no_face: "no face was found",
  no_frames: "there is no picture in it",
  no_evidence: "the last usable look is too long ago",
  too_short: "too little of a face was seen",
  inconclusive: "the signs point neither way",
  part_of_the_time: "only a part of the video looks synthetic",
  face_too_small: "the face is too small",
  blurred: "the picture is blurred",
  too_dark: "the face is too dark",
  too_bright: "the face is too bright",
  turned_away: "the face is turned away",
  not_a_face: "this is probably not a face",
  mri: "synthesis map",
  temporal: "motion",
  spatial: "single frames",
};

export const STREAM_STATES = {
  idle: "none",
  connecting: "connecting",
  live: "live",
  no_face: "no face in the picture",
  no_signal: "no signal",
  reconnecting: "reconnecting",
  ended: "ended",
};

const STREAM_REASONS = {
  no_pictures: "no pictures come in",
  black: "the picture is black",
  frozen: "the picture is frozen",
};

/** A reason's code in plain words. */
export function reason(code) {
  return REASONS[code] ?? code.replaceAll("_", " ");
}

/** The plain words of `code`, or the sentence after `code: `. */
export function streamReason(text) {
  const sentence = text.includes(": ") ? text.slice(text.indexOf(": ") + 2) : text;
  return STREAM_REASONS[sentence] ?? sentence.replaceAll("_", " ");
}

/** A probability for people: a whole percentage that never claims certainty. */
export function percent(p) {
  if (p === null || p === undefined) return "–";
  return `${Math.min(99, Math.max(1, Math.round(p * 100)))} %`;
}
