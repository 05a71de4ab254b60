// What the codes of the wire mean in plain words.

export const STATES = {
  authentic: { word: "authentic", says: "No sign of a synthetic face." },
  suspicious: { word: "suspicious", says: "Some signs of a synthetic face; not enough to be sure." },
  manipulated: { word: "manipulated", says: "Strong signs that the face is synthetic." },
  uncertain: { word: "uncertain", says: "Nothing can be said." },
  warming: { word: "looking", says: "Not enough has been seen yet." },
};

/** From the calmest to the gravest. */
export const GRAVITY = ["warming", "authentic", "uncertain", "suspicious", "manipulated"];

export const ALARMS = new Set(["suspicious", "manipulated"]);

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

const ADVICE = {
  own: {
    face_too_small: "come closer",
    blurred: "hold still, or clean the lens",
    too_dark: "turn a light on in front of you",
    too_bright: "turn away from the light, or lower the exposure",
    turned_away: "look into the camera",
    no_evidence: "look into the camera for a few seconds",
  },
  other: {
    face_too_small: "enlarge their window, or ask them to come closer",
    blurred: "enlarge their window, or ask for a better picture",
    too_dark: "ask them to turn a light on",
    too_bright: "ask them to turn away from the light",
    turned_away: "ask them to look into the camera",
    no_evidence: "ask them to look into the camera for a few seconds",
  },
};

const DEGRADED = {
  mri_rate: "synthesis map looked at less often: the server is busy",
  temporal_rate: "motion looked at less often: the server is busy",
  spatial_rate: "fewer frames looked at: the server is busy",
  detection_rate: "new faces searched for less often: the server is busy",
  mri: "no synthesis map",
  temporal: "no motion yet",
  spatial: "no single frames",
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

/** A reason's code in plain words; `whose` ("own" or "other") adds what can be done about it. */
export function reason(code, whose = null) {
  const words = REASONS[code] ?? code.replaceAll("_", " ");
  const advice = ADVICE[whose]?.[code];
  return advice ? `${words}: ${advice}` : words;
}

/** What is left out, in plain words. */
export function leftOut(code) {
  return DEGRADED[code] ?? reason(code);
}

/** The plain words of `code`, or the sentence after `code: `. */
export function streamReason(text) {
  const sentence = text.includes(": ") ? text.slice(text.indexOf(": ") + 2) : text;
  return STREAM_REASONS[sentence] ?? sentence.replaceAll("_", " ");
}

/** The same with its first letter in upper case. */
export function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

/** A probability for people: a whole percentage that never claims certainty. */
export function percent(p) {
  if (p === null || p === undefined) return "–";
  return `${Math.min(99, Math.max(1, Math.round(p * 100)))} %`;
}

/** A length of time for people. */
export function duration(seconds) {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
