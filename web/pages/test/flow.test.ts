// Goal: whom a customer's call rings, in which order, and what the customer is told in the end.
// Method: a line whose agents answer as the test says.

import { describe, expect, it } from 'vitest';
import { Emitter, MediaError, type Call, type CallEnd, type CallEvents } from '@tring/client';
import { CustomerFlow, shuffle, type FlowState, type OpenLine } from '../customer/flow.js';

/** What an agent does: answers, or the call ends like this. */
type Behaviour = 'answers' | 'rings' | CallEnd['code'];

class FakeCall extends Emitter<CallEvents> {
  state = 'calling';
  answeredAt: number | null = null;
  finished = Promise.resolve();
  hungUp = false;
  go(state: 'ringing' | 'connecting' | 'connected'): void {
    this.state = state;
    if (state === 'connecting') this.answeredAt = performance.now();
    this.emit('state', state);
  }
  finish(code: CallEnd['code']): void {
    this.state = 'ended';
    this.emit('ended', { by: 'remote', code, reason: code });
  }
  hangup(): void {
    this.hungUp = true;
    this.finish('cancelled');
  }
}

function setUp(agents: Record<string, Behaviour>, media: () => Promise<MediaStream> = stream) {
  const rung: string[] = [];
  const calls: FakeCall[] = [];
  let closed = 0;
  const line = {
    list: () => Promise.resolve(['customer-2', ...Object.keys(agents)]),
    dial: (agent: string) => {
      rung.push(agent);
      const call = new FakeCall();
      calls.push(call);
      queueMicrotask(() => behave(call, agents[agent] as Behaviour));
      return call as unknown as Call;
    },
  };
  const open = { line, close: () => Promise.resolve(void closed++) } as unknown as OpenLine;
  const flow = new CustomerFlow({
    openMedia: media,
    openLine: () => Promise.resolve(open),
    random: () => 0.99,
  });
  const names: FlowState['name'][] = [];
  flow.on('change', ({ name }) => names.push(name));
  return { flow, rung, names, calls, closed: () => closed };
}

function behave(call: FakeCall, behaviour: Behaviour): void {
  if (behaviour !== 'busy' && behaviour !== 'unavailable') call.go('ringing');
  if (behaviour === 'rings') return;
  if (behaviour === 'answers') call.go('connecting');
  else call.finish(behaviour);
}

let stopped = 0;
function stream(): Promise<MediaStream> {
  const track = { kind: 'audio', stop: () => stopped++ };
  return Promise.resolve({ getTracks: () => [track] } as unknown as MediaStream);
}

describe('a customer’s call', () => {
  it('says each step to the first agent who answers', async () => {
    const { flow, names, rung } = setUp({ 'agent:Ann': 'answers', 'agent:Bert': 'answers' });
    await flow.start({ preset: '360p' });
    expect(names).toEqual(['media', 'connecting', 'ringing', 'call']);
    expect(rung).toEqual(['agent:Ann']);
  });

  it.each([
    ['nobody', {}],
    ['busy', { 'agent:A': 'busy', 'agent:B': 'busy' }],
    ['nobody', { 'agent:A': 'busy', 'agent:B': 'declined' }],
    ['nobody', { 'agent:A': 'no-answer' }],
    ['nobody', { 'agent:A': 'unavailable' }],
    ['error', { 'agent:A': 'failed', 'agent:B': 'answers' }],
    ['call', { 'agent:A': 'busy', 'agent:B': 'declined', 'agent:C': 'answers' }],
  ])('ends in %s with %j', async (name, agents) => {
    const { flow, closed } = setUp(agents as Record<string, Behaviour>);
    await flow.start({ preset: '360p' });
    expect(flow.state.name).toBe(name);
    expect(closed()).toBe(name === 'call' ? 0 : 1);
  });

  it('gives devices and session back when the call ends', async () => {
    const { flow, calls, closed } = setUp({ 'agent:A': 'answers' });
    await flow.start({ preset: '360p' });
    const before = stopped;
    calls[0]?.finish('hung-up');
    await new Promise((resolve) => setTimeout(resolve));
    expect(flow.state).toMatchObject({ name: 'ended', agent: 'agent:A' });
    expect(closed()).toBe(1);
    expect(stopped).toBe(before + 1);
  });

  it('stops ringing when it is cancelled', async () => {
    const { flow, calls, rung } = setUp({ 'agent:A': 'rings', 'agent:B': 'answers' });
    const done = flow.start({ preset: '360p' });
    await new Promise((resolve) => setTimeout(resolve));
    flow.cancel();
    await done;
    expect(flow.state.name).toBe('idle');
    expect(calls[0]?.hungUp).toBe(true);
    expect(rung).toHaveLength(1);
  });

  it('shows a device error and keeps no session', async () => {
    const refuse = () =>
      Promise.reject(new MediaError('in-use', 'in use', { askedForVideo: true }));
    const { flow, closed } = setUp({ 'agent:A': 'answers' }, refuse);
    await flow.start({ preset: '360p' });
    expect(flow.state).toMatchObject({ name: 'media-error', error: { code: 'in-use' } });
    expect(closed()).toBe(1);
    flow.reset();
    expect(flow.state.name).toBe('idle');
  });
});

it('shuffles without loss and with every order possible', () => {
  const items = ['a', 'b', 'c'];
  expect(shuffle(items, () => 0.999)).toEqual(items);
  expect(shuffle(items, () => 0)).toEqual(['b', 'c', 'a']);
  expect(items).toEqual(['a', 'b', 'c']);
});
