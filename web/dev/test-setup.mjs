// Node 18 has Web Crypto, but not under the name that browsers give it.
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto;
