// The operators' API: doc/api/operators.md. The secret goes as a header and nowhere else.

export class Refused extends Error {}
export class TooMany extends Error {}
export class Gone extends Error {}

const KEY = 'tring.adminSecret';

export class OpsApi {
  private secret: string;

  constructor(
    private readonly store: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> = sessionStorage,
    private readonly fetcher: typeof fetch = (...args) => fetch(...args),
  ) {
    this.secret = store.getItem(KEY) ?? '';
  }

  get hasSecret(): boolean {
    return this.secret !== '';
  }

  /** Until the tab is closed. */
  use(secret: string): void {
    this.secret = secret;
    this.store.setItem(KEY, secret);
  }

  forget(): void {
    this.secret = '';
    this.store.removeItem(KEY);
  }

  async get(path: string, query: Record<string, string> = {}): Promise<unknown> {
    const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ''));
    const response = await this.fetcher(
      `/api/v1/${path}${search.size > 0 ? `?${search.toString()}` : ''}`,
      {
        headers: { Authorization: `Bearer ${this.secret}` },
        cache: 'no-store',
        credentials: 'omit',
      },
    );
    if (response.status === 403) throw new Refused();
    if (response.status === 429) throw new TooMany();
    if (response.status === 404) throw new Gone();
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    return response.json();
  }

  /** Whether this port serves the API; asked without the secret. */
  async isHere(): Promise<boolean> {
    const response = await this.fetcher('/api/v1/here', { cache: 'no-store', credentials: 'omit' });
    return response.status !== 404;
  }

  /** The counters of /metrics, which needs no secret. */
  async metrics(): Promise<string> {
    const response = await this.fetcher('/metrics', { cache: 'no-store', credentials: 'omit' });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    return response.text();
  }
}
