// The STUN and TURN servers that the server offers its clients, with credentials that last a while.

const PATH = '/api/v1/ice-servers';

/**
 * Asks for them. An empty list: the server offers none (or is one without this path), and calls go
 * directly or not at all. Rejects when the server cannot be reached.
 */
export async function fetchIceServers(
  fetcher: typeof fetch = (...args) => fetch(...args),
): Promise<RTCIceServer[]> {
  const response = await fetcher(PATH, { cache: 'no-store' });
  if (response.status === 404) return [];
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return toIceServers(await response.json());
}

/** Takes `{"iceServers": [...]}` or the bare list; what is no server is left out. */
export function toIceServers(answer: unknown): RTCIceServer[] {
  const list = Array.isArray(answer) ? answer : (answer as { iceServers?: unknown })?.iceServers;
  return Array.isArray(list) ? list.flatMap(toServer) : [];
}

function toServer(value: unknown): RTCIceServer[] {
  if (typeof value !== 'object' || value === null) return [];
  const { urls, username, credential } = value as Record<string, unknown>;
  const all = (Array.isArray(urls) ? urls : [urls]).filter(
    (url): url is string => typeof url === 'string' && /^(stun|turn)s?:/.test(url),
  );
  if (all.length === 0) return [];
  return [
    {
      urls: all,
      ...(typeof username === 'string' ? { username } : {}),
      ...(typeof credential === 'string' ? { credential } : {}),
    },
  ];
}

/** How a client gets to a relay, or to the server: the last hop that the network must let through. */
export type IceTransport = 'udp' | 'tcp' | 'tls';

/** The transport of one STUN or TURN address: `turns:` is TLS unless it says udp (DTLS). */
export function transportOf(url: string): IceTransport {
  const tcp = /[?&]transport=tcp\b/i.test(url);
  const udp = /[?&]transport=udp\b/i.test(url);
  if (/^(stun|turn)s:/i.test(url)) return udp ? 'udp' : 'tls';
  return tcp ? 'tcp' : 'udp';
}

/** The relays that are reached over this transport, one address a server; may be empty. */
export function relaysOver(servers: readonly RTCIceServer[], over: IceTransport): RTCIceServer[] {
  return servers.flatMap((server) => {
    const urls = [server.urls].flat().filter((url) => /^turns?:/i.test(url));
    const fitting = urls.filter((url) => transportOf(url) === over);
    return fitting.length > 0 ? [{ ...server, urls: fitting }] : [];
  });
}
