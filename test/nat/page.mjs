// Runs in the page: window.phone makes calls by janus.plugin.videocall, as a page would that knows
// nothing of the network it is in.

export function installPhone() {
  const KEEPALIVE_MS = 20_000; // a phone may wait for the others longer than its session would live

  class Phone {
    constructor({ url, iceServers, policy }) {
      this.url = url;
      this.conf = { iceServers, iceTransportPolicy: policy };
      this.waiting = new Map();
      this.count = 0;
      this.candidates = [];
      this.restarts = 0;
    }

    async register(username) {
      this.media = await navigator.mediaDevices.getUserMedia({
        audio: true,
        video: { width: 160, height: 120, frameRate: 10 },
      });
      this.socket = new WebSocket(this.url, 'janus-protocol');
      this.socket.onmessage = ({ data }) => this.hear(JSON.parse(data));
      await new Promise((resolve, reject) => {
        this.socket.onopen = resolve;
        this.socket.onerror = () => reject(new Error(`no WebSocket to ${this.url}`));
      });
      this.session = (await this.ask({ janus: 'create' })).data.id;
      const plugin = 'janus.plugin.videocall';
      this.handle = (await this.ask({ janus: 'attach', plugin })).data.id;
      await this.say({ request: 'register', username });
      setInterval(() => this.ask({ janus: 'keepalive' }), KEEPALIVE_MS);
    }

    hear(message) {
      if (message.janus === 'ack') return;
      const asked = this.waiting.get(message.transaction);
      if (asked) {
        this.waiting.delete(message.transaction);
        asked(message);
      }
      const event = message.plugindata?.data?.result?.event;
      if (event === 'incomingcall') this.accept(message.jsep);
      if (event === 'accepted' && message.jsep) this.pc.setRemoteDescription(message.jsep);
      if (event === 'update') this.update(message.jsep);
      if (event === 'hangup') this.close();
    }

    ask(request) {
      const transaction = `t${this.count++}`;
      const ids = { session_id: this.session, handle_id: this.handle };
      this.socket.send(JSON.stringify({ ...ids, ...request, transaction }));
      return new Promise((resolve) => {
        this.waiting.set(transaction, resolve);
      });
    }

    async say(body, jsep) {
      const answer = await this.ask({ janus: 'message', body, ...(jsep ? { jsep } : {}) });
      const error = answer.error?.reason ?? answer.plugindata?.data?.error;
      if (error) throw new Error(`${body.request}: ${error}`);
      return answer;
    }

    connect() {
      this.close();
      this.pc = new RTCPeerConnection(this.conf);
      this.pc.onicecandidate = ({ candidate }) => {
        if (candidate) this.candidates.push(candidate.candidate);
        this.ask({ janus: 'trickle', candidate: candidate ?? { completed: true } });
      };
      this.pc.oniceconnectionstatechange = () => {
        if (this.pc.iceConnectionState === 'disconnected') this.restart();
      };
      this.pc.ontrack = ({ track }) => {
        const element = document.createElement(track.kind);
        Object.assign(element, { autoplay: true, muted: true });
        element.srcObject = new MediaStream([track]);
        document.body.append(element);
      };
      for (const track of this.media.getTracks()) this.pc.addTrack(track, this.media);
    }

    description() {
      const { type, sdp } = this.pc.localDescription;
      return { type, sdp };
    }

    async call(username) {
      this.connect();
      await this.pc.setLocalDescription();
      await this.say({ request: 'call', username }, this.description());
    }

    async accept(offer) {
      this.connect();
      await this.answer('accept', offer);
    }

    async answer(request, offer) {
      await this.pc.setRemoteDescription(offer);
      await this.pc.setLocalDescription();
      await this.say({ request }, this.description());
    }

    async update(jsep) {
      if (jsep.type === 'offer') await this.answer('set', jsep);
      else await this.pc.setRemoteDescription(jsep);
    }

    /** What a page does when its network is gone. */
    async restart() {
      this.restarts++;
      this.pc.restartIce();
      await this.pc.setLocalDescription();
      await this.say({ request: 'set' }, this.description());
    }

    close() {
      this.pc?.close();
      this.pc = null;
      this.candidates = [];
      document.body.replaceChildren();
    }

    /** Null while there is no pair of candidates in use. */
    async facts() {
      const report = await this.pc?.getStats();
      if (!report) return null;
      const all = [...report.values()];
      const transport = all.find(({ type }) => type === 'transport');
      const pair = report.get(transport?.selectedCandidatePairId);
      const [local, remote] = [
        report.get(pair?.localCandidateId),
        report.get(pair?.remoteCandidateId),
      ];
      const incoming = (kind) => all.find((s) => s.type === 'inbound-rtp' && s.kind === kind);
      return {
        state: this.pc.iceConnectionState,
        frames: incoming('video')?.framesDecoded ?? 0,
        packets: incoming('audio')?.packetsReceived ?? 0,
        pair: local &&
          remote && {
            type: local.candidateType,
            protocol: local.relayProtocol ?? local.protocol,
            tcpType: local.tcpType,
            address: local.address,
            remote: `${remote.candidateType} ${remote.protocol} ${remote.address}:${remote.port}`,
          },
        restarts: this.restarts,
        candidates: this.candidates,
      };
    }
  }
  window.openPhone = async (conf) => {
    window.phone?.close();
    window.phone = new Phone(conf);
    await window.phone.register(conf.name);
  };
}
