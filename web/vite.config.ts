import { defineConfig } from 'vite';

// Everything lands in /assets under hashed names, so that the server can let browsers keep it for ever; nothing is inlined,
// because the page's Content-Security-Policy allows no inline script or style.
export default defineConfig({
  base: '/',
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: {
    outDir: process.env.WEIR_WEB_OUT ?? 'dist',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    sourcemap: false,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { '/admin': process.env.WEIR_ADMIN ?? 'http://127.0.0.1:8089' } },
});
