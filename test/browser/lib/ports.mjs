// Free ports of this machine. Another program may take one before it is used; that is rare enough.

import { createServer } from 'node:net';
import { createSocket } from 'node:dgram';
import { networkInterfaces } from 'node:os';

export const LOOPBACK = '127.0.0.1';
/** Of this machine; loopback where it has no other. */
export const OWN_ADDRESS =
  Object.values(networkInterfaces())
    .flat()
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? LOOPBACK;

function someTcpPort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, LOOPBACK, () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function someUdpPort() {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.bind(0, () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}

const given = new Set();

/** None twice: the kernel may offer one again that is not in use yet. */
async function unused(some) {
  let port = await some();
  while (given.has(port)) port = await some();
  given.add(port);
  return port;
}

export const freeTcpPort = () => unused(someTcpPort);
export const freeUdpPort = () => unused(someUdpPort);
