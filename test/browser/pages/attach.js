// What pages on Debian's janus.js begin with: a handle of a plugin; the other side's video in #remote.
// window.state says how far the page is.

let handle;

window.state = 'starting';

/** `attached`: there is a handle. `said`: the plugin's messages, with their jsep. */
function attach(plugin, attached, said) {
  const options = {
    plugin,
    success: (made) => {
      handle = made;
      attached();
    },
    error: failed,
    onmessage: said,
    onremotetrack: (track, mid, on) => {
      if (on && track.kind === 'video')
        document.querySelector('#remote').srcObject = new MediaStream([track]);
    },
  };
  const connect = () => {
    const success = () => janus.attach(options);
    const janus = new Janus({ server, iceServers, success, error: failed });
  };
  Janus.init({ debug: ['error'], callback: connect });
}

function failed(error) {
  window.state = `failed: ${error?.message ?? error}`;
}
