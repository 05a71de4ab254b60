// Put into a page before its own scripts: notes what is drawn over which frame, by the numbers in the frames.
//
// boxes: [number of the frame under it, middle of the box 0..1, ms]; paints: [ms, labels drawn before it];
// states: [state of the first face, epoch ms, number of the frame shown then].

(() => {
  const code = document.createElement('canvas');
  Object.assign(code, { width: 256, height: 16 });
  const ink = code.getContext('2d', { willReadFrequently: true });
  const spy = window.spy = { boxes: [], labels: 0, paints: [], states: [], number: null, keep: false };
  spy.read = () => {
    const [canvas, video, still] = ['picture', 'video', 'still'].map((id) => document.getElementById(id));
    const source = still && !still.hidden && still.naturalWidth ? still : canvas && !canvas.hidden ? canvas : video;
    const wide = source?.naturalWidth || source?.videoWidth || (source === canvas && canvas?.width) || 0;
    if (!wide) return null;
    const scale = wide / (spy.width ?? 640);
    ink.drawImage(source, 0, 0, 256 * scale, 16 * scale, 0, 0, 256, 16);
    const pixels = ink.getImageData(0, 8, 256, 1).data;
    let [number, check] = [0, 0];
    for (let bit = 0; bit < 16; bit += 1) {
      const on = pixels[(bit * 16 + 8) * 4] > 127;
      if (on && bit < 12) number |= 1 << bit;
      if (on && bit >= 12) check |= 1 << (bit - 12);
    }
    return check === ((number * 7 + (number >> 4) * 5 + (number >> 8) * 3 + 9) & 15) ? number : null;
  };
  const proto = CanvasRenderingContext2D.prototype;
  const roundRect = proto.roundRect;
  proto.roundRect = function (x, y, width, height, radius) {
    if (this.canvas.id === 'overlay' && spy.keep) {
      if (radius === 10) {
        const [video, still] = ['video', 'still'].map((id) => document.getElementById(id));
        const pictures = Boolean(still && !still.hidden);
        const wide = pictures ? still.naturalWidth : video.videoWidth;
        const high = pictures ? still.naturalHeight : video.videoHeight;
        const { clientWidth, clientHeight } = this.canvas;
        const scale = Math.min(clientWidth / wide, clientHeight / high);
        const left = (clientWidth - wide * scale) / 2;
        spy.boxes.push([spy.read(), (x + width / 2 - left) / scale / wide, performance.now()]);
      } else spy.labels += 1;
    }
    return roundRect.call(this, x, y, width, height, radius);
  };
  const clearRect = proto.clearRect;
  proto.clearRect = function (...area) {
    if (this.canvas.id === 'overlay' && spy.keep) {
      spy.paints.push([performance.now(), spy.labels]);
      spy.labels = 0;
    }
    return clearRect.apply(this, area);
  };
  spy.watch = () => {
    const face = document.querySelector('#faces > li');
    const state = face ? face.dataset.state : '';
    const number = spy.read();
    if (number !== null && number !== spy.number) Object.assign(spy, { number, numberAt: Date.now() });
    if (!spy.states.length || spy.states.at(-1)[0] !== state) spy.states.push([state, Date.now(), spy.number]);
    requestAnimationFrame(spy.watch);
  };
  requestAnimationFrame(spy.watch);
})();
