// Which frame a video element shows: its time of capture, and an older frame from a ring of the last ones.

const MOST_WIDE = 960;
const MOST_FRAMES = 40;
const SECONDS_KEPT = 1.4;
const RETURNED_PATIENCE_MS = 150;

/**
 * Follows the frames of `video`; shows delayed ones on `canvas` while `exact` is on.
 *
 * A picture that comes back from the server has an `rtp` time, which `onreturned(rtp, received)` gets too; such pictures
 * are always shown on `canvas`, so that picture and boxes change at the same moment.
 */
export class Frames {
  constructor(video, canvas) {
    this.video = video;
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.able = "requestVideoFrameCallback" in HTMLVideoElement.prototype;
    this.exact = false;
    this.onreturned = () => {};
    this.clear();
    if (this.able) this.next();
  }

  clear() {
    this.ring = [];
    this.newest = null;
    this.rtp = null;
    this.shown = null;
    this.canvas.hidden = true;
  }

  next() {
    this.video.requestVideoFrameCallback((now, metadata) => {
      this.next();
      const captured = metadata.captureTime ?? metadata.presentationTime ?? now;
      this.newest = Math.abs(now - captured) < 5000 ? captured : now;
      this.rtp = metadata.rtpTimestamp ?? null;
      if (this.rtp !== null) this.onreturned(this.rtp, metadata.receiveTime ?? now);
      if (this.rtp !== null) this.keep(now, this.rtp);
      else if (this.exact) this.keep(this.newest);
    });
  }

  keep(captured, rtp = null) {
    const { videoWidth, videoHeight } = this.video;
    if (!videoWidth) return;
    const scale = Math.min(1, MOST_WIDE / videoWidth);
    const [width, height] = [Math.round(videoWidth * scale), Math.round(videoHeight * scale)];
    const old = this.ring.length >= MOST_FRAMES || (this.ring.length && captured - this.ring[0].captured > SECONDS_KEPT * 1000);
    const slot = old ? this.ring.shift() : { picture: document.createElement("canvas") };
    if (slot.picture.width !== width || slot.picture.height !== height) Object.assign(slot.picture, { width, height });
    slot.picture.getContext("2d").drawImage(this.video, 0, 0, width, height);
    Object.assign(slot, { captured, rtp });
    this.ring.push(slot);
  }

  /**
   * Shows the frame that was taken `delay` ms ago, or the video itself where `exact` is off.
   *
   * Gives the time at which the shown frame was taken; null where that is not known.
   */
  show(now, delay) {
    if (!this.exact || !this.able || !this.ring.length) {
      this.canvas.hidden = true;
      return this.newest;
    }
    const wanted = now - delay;
    const slot = this.ring.findLast((one) => one.captured <= wanted) ?? this.ring[0];
    this.draw(slot);
    return slot.captured;
  }

  /**
   * Shows the newest returned picture whose verdict is there (`known` tells by its RTP time); one without a verdict
   * after a moment of waiting. Gives the shown picture's RTP time.
   */
  showReturned(now, known) {
    if (!this.able || !this.ring.length || this.rtp === null) {
      this.canvas.hidden = true;
      return this.rtp;
    }
    const slot = this.ring.findLast((one) => known(one.rtp) || now - one.captured > RETURNED_PATIENCE_MS) ?? this.ring[0];
    this.draw(slot);
    return slot.rtp;
  }

  draw({ captured, picture }) {
    this.canvas.hidden = false;
    if (this.shown === captured) return;
    if (this.canvas.width !== picture.width || this.canvas.height !== picture.height) {
      Object.assign(this.canvas, { width: picture.width, height: picture.height });
    }
    this.context.drawImage(picture, 0, 0);
    this.shown = captured;
  }
}
