// Browsers slow the timers of a hidden page down to one a minute, which is longer than a session may
// stay silent. Timers of a worker are not slowed down: this one only says "now". It is JavaScript so
// that its file name is the same in the sources and in the built package.
self.onmessage = (event) => {
  setInterval(() => self.postMessage(null), event.data);
};
