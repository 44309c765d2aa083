import { defineConfig } from 'vite';

// Three pages of one origin; nothing inline, so that the content security policy can forbid it.
export default defineConfig({
  appType: 'mpa',
  build: {
    target: 'es2022',
    manifest: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: { resident: 'index.html', till: 'till/index.html', console: 'console/index.html' },
    },
  },
  server: { proxy: { '/v1': 'http://localhost:8888' } },
});
