// The tests against foreign programs; test/interop/run.ts calls ava with it.
// biome-ignore lint/style/noDefaultExport: ava wants one
export default {
  extensions: ['ts'],
  files: ['test/interop/**/*.test.ts'],
  timeout: '3m',
  concurrency: 1,
  workerThreads: false,
}
