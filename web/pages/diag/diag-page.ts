// Network and devices: will calls work here? The check of the network runs when it is asked for; devices
// are looked at one by one. The verdict is made of whatever is known.

import { html, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { Session, fetchIceServers, mediaSupported } from '@tring/client';
import { PageElement } from '../shared/element.js';
import { pageHeader } from '../shared/parts.js';
import { NetworkCheck, echoList, type CheckState } from './check.js';
import './diag-devices.js';
import './diag-network.js';
import './diag-try-out.js';
import './diag-verdict.js';
import { runEcho } from './echo.js';
import { devicesAtFirst, type DeviceFindings, type Findings } from './findings.js';
import { gather } from './gather.js';
import { makeReport, type Report } from './report.js';
import { makeSyntheticMedia } from './synthetic.js';
import { judge, type Verdict } from './verdict.js';
import { words } from './words.js';

@customElement('diag-page')
export class DiagPage extends PageElement {
  @state() private devices: DeviceFindings = devicesAtFirst(mediaSupported());
  @state() private verdict: Verdict | null = null;
  private readonly check = new NetworkCheck({
    openSession,
    fetchServers: () => fetchIceServers(),
    makeMedia: makeSyntheticMedia,
    gather: (servers, progress, signal) => gather({ servers, progress, signal }),
    echo: (plan, session, media, progress, signal) =>
      runEcho(plan, { session, media, progress, signal }),
  });
  @state() private checkState: CheckState = this.check.state;

  override connectedCallback(): void {
    super.connectedCallback();
    this.check.on('change', (state) => (this.checkState = state));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.check.stop();
  }

  protected override render(): TemplateResult {
    const { running, finished } = this.checkState;
    const begun = running || finished || this.checkState.signalling !== null;
    return html`${pageHeader()}
      <main class="diag">
        <div class="diag-head">
          <h1>${words.title}</h1>
          <p class="lead">${words.lead}</p>
          ${
            running
              ? html`<button
                  type="button"
                  class="button quiet"
                  id="stop-check"
                  @click=${() => this.stop()}
                >
                  ${words.stop}
                </button>`
              : html`<button
                  type="button"
                  class="button primary"
                  id="start-check"
                  @click=${() => void this.start()}
                >
                  ${begun ? words.again : words.start}
                </button>`
          }
        </div>
        ${
          this.verdict
            ? html`<diag-verdict
                .verdict=${this.verdict}
                .makeReport=${this.makeReport}
              ></diag-verdict>`
            : ''
        }
        ${begun ? html`<diag-network .state=${this.checkState}></diag-network>` : ''}
        <diag-devices @finding=${this.onFinding}></diag-devices>
        <diag-try-out></diag-try-out>
      </main>`;
  }

  private async start(): Promise<void> {
    this.verdict = null;
    const run = this.check.run();
    void this.focusOn('stop-check'); // the button that was pressed is gone
    await run;
    if (!this.check.state.finished) return;
    this.verdict = judge(this.findings());
    await this.updateComplete;
    void this.focusOn('verdict-title');
  }

  private stop(): void {
    this.check.stop();
    void this.focusOn('start-check');
  }

  private readonly onFinding = (event: CustomEvent<Partial<DeviceFindings>>): void => {
    const before = this.devices;
    this.devices = { ...before, ...event.detail };
    const changed =
      before.camera !== this.devices.camera || before.microphone !== this.devices.microphone;
    if (this.verdict && changed) this.verdict = judge(this.findings());
  };

  private findings(): Findings {
    const { signalling, gathering } = this.checkState;
    return { signalling, gathering, echoes: echoList(this.checkState), devices: this.devices };
  }

  private readonly makeReport = (): Report => {
    const findings = this.findings();
    return makeReport(findings, judge(findings), {
      browser: navigator.userAgent,
      at: new Date(),
      page: location.origin,
    });
  };
}

async function openSession(): Promise<Session> {
  const session = new Session();
  await session.connect();
  return session;
}
