// Builds every page into web/dist. The server's content security policy allows nothing inline, so
// nothing is: no inlined assets, no polyfill, one hashed file per module group.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here('pages'),
  base: '/',
  resolve: { alias: { '@tring/client': here('client/src/index.ts') } },
  worker: { format: 'es' },
  build: {
    outDir: here('dist'),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: [
        here('pages/index.html'),
        here('pages/customer/index.html'),
        here('pages/agent/index.html'),
        here('pages/diag/index.html'),
        here('pages/ops/index.html'),
      ],
    },
  },
  test: {
    root: here('.'),
    include: ['client/test/**/*.test.ts', 'pages/test/**/*.test.ts'],
    environment: 'node',
    setupFiles: [here('dev/test-setup.mjs')],
    restoreMocks: true,
  },
});
