// A call to oneself (echotest) with layers within one stream, by hand: what a page has to do that
// wants a scalability mode is told to the browser directly, and so is the API.

/** Runs in the page: window.echo is the call. */
export function installEcho() {
  class Echo {
    constructor(address) {
      this.address = address;
      this.waiting = new Map();
      this.layers = {};
      this.count = 0;
    }

    async open() {
      this.socket = new WebSocket(this.address, 'janus-protocol');
      this.socket.onmessage = ({ data }) => this.hear(JSON.parse(data));
      await new Promise((resolve) => {
        this.socket.onopen = resolve;
      });
      this.session = (await this.ask({ janus: 'create' })).data.id;
      const plugin = 'janus.plugin.echotest';
      this.handle = (await this.ask({ janus: 'attach', plugin })).data.id;
    }

    hear(message) {
      if (message.janus === 'ack') return;
      const data = message.plugindata?.data;
      for (const name of ['substream', 'spatial_layer', 'temporal_layer'])
        if (data?.[name] !== undefined) this.layers[name] = data[name];
      this.waiting.get(message.transaction)?.(message);
    }

    ask(request) {
      const transaction = `t${this.count++}`;
      const addressed = {
        session_id: this.session,
        handle_id: this.handle,
        ...request,
        transaction,
      };
      this.socket.send(JSON.stringify(addressed));
      return new Promise((resolve) => {
        this.waiting.set(transaction, resolve);
      });
    }

    say(body, jsep) {
      return this.ask({ janus: 'message', body, ...(jsep ? { jsep } : {}) });
    }

    /** Calls itself. `encodings`: as of addTransceiver; `rtc`: as of RTCPeerConnection. */
    async call({ codec, encodings, size, audio = false, body = {}, rtc = {} }) {
      const media = await navigator.mediaDevices.getUserMedia({
        video: { ...size, frameRate: 15 },
        audio,
      });
      this.pc = new RTCPeerConnection(rtc);
      const video = document.createElement('video');
      Object.assign(video, { autoplay: true, muted: true });
      document.body.append(video);
      this.pc.ontrack = ({ track, streams }) => {
        if (track.kind === 'video') video.srcObject = streams[0] ?? new MediaStream([track]);
      };
      if (audio) this.pc.addTransceiver(media.getAudioTracks()[0]);
      const sender = this.pc.addTransceiver(media.getVideoTracks()[0], {
        sendEncodings: encodings,
      });
      const codecs = RTCRtpReceiver.getCapabilities('video').codecs;
      const wanted = ({ mimeType }) => mimeType.toLowerCase() === `video/${codec}`;
      const more = ({ mimeType }) => /rtx/i.test(mimeType);
      sender.setCodecPreferences([...codecs.filter(wanted), ...codecs.filter(more)]);
      await this.pc.setLocalDescription();
      await new Promise((resolve) => {
        const done = () => this.pc.iceGatheringState === 'complete' && resolve();
        this.pc.onicegatheringstatechange = done;
        done();
      });
      const { type, sdp } = this.pc.localDescription;
      const reply = await this.say(
        { audio: true, video: true, videocodec: codec, ...body },
        { type, sdp },
      );
      await this.pc.setRemoteDescription(reply.jsep);
      return { offer: sdp, answer: reply.jsep.sdp };
    }

    async stats() {
      const found = { layers: { ...this.layers } };
      const report = await this.pc.getStats();
      for (const s of report.values()) {
        if (s.type === 'candidate-pair' && s.state === 'succeeded' && s.nominated) {
          const { candidateType, relayProtocol, protocol } = report.get(s.localCandidateId);
          found.pair = { type: candidateType, protocol: relayProtocol ?? protocol };
        }
        if (s.kind === 'video' && s.type === 'inbound-rtp') found.in = s;
        if (s.kind === 'video' && s.type === 'outbound-rtp') found.out = s;
        if (s.kind === 'audio' && s.type === 'inbound-rtp') found.audio = s;
        if (s.kind === 'audio' && s.type === 'outbound-rtp') found.audioOut = s;
        if (s.type === 'codec') found.codecs = [...(found.codecs ?? []), s.mimeType];
      }
      return found;
    }
  }
  window.startEcho = async (address, call) => {
    window.echo = new Echo(address);
    await window.echo.open();
    return window.echo.call(call);
  };
}
