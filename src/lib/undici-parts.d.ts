// biome-ignore-all lint/style/noDefaultExport: they describe CommonJS modules, whose one export is their default.
// The parts of undici that undici-pool.ts takes one by one carry no types of their own.
declare module 'undici/lib/dispatcher/pool.js' {
  export { Pool as default } from 'undici';
}
declare module 'undici/lib/dispatcher/dispatcher.js' {
  export { Dispatcher as default } from 'undici';
}
declare module 'undici/lib/api/index.js' {
  const methods: Readonly<Record<'request' | 'stream' | 'pipeline' | 'upgrade' | 'connect', (...args: never[]) => unknown>>;
  export default methods;
}
