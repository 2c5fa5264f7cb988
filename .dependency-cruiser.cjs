/** Imports point one way (ARCHITECTURE.md); `npm run lint` fails on any other arrow. */
const may = {
  gen: [],
  lib: ['errors'],
  errors: [],
  model: ['lib', 'gen', 'errors'],
  telemetry: ['lib', 'gen', 'errors', 'model'],
  mesh: ['model', 'lib', 'gen', 'errors', 'telemetry'],
  control: ['model', 'mesh', 'lib', 'gen', 'errors', 'telemetry'],
  xds: ['control', 'mesh', 'model', 'lib', 'gen', 'errors', 'telemetry'],
  blocks: ['model', 'lib', 'gen', 'errors', 'telemetry'],
  components: ['blocks', 'model', 'lib', 'gen', 'errors', 'telemetry'],
  api: ['blocks', 'model', 'lib', 'gen', 'errors', 'telemetry'],
  extproc: ['blocks', 'model', 'lib', 'gen', 'errors', 'telemetry'],
};
const forbidden = Object.entries(may).map(([from, to]) => ({
  name: `${from}-imports-only-${to.join('-') || 'nothing'}`,
  severity: 'error',
  from: { path: `^src/${from}(/|\\.ts$)` },
  to: { path: '^src/', pathNot: [from, ...to].map((name) => `^src/${name}(/|\\.ts$)`) },
}));
module.exports = {
  forbidden: [
    ...forbidden,
    { name: 'no-circular', severity: 'error', from: { pathNot: '^src/gen' }, to: { circular: true } },
    { name: 'agent-does-not-import-cli', severity: 'error', from: { path: '^src/agent/' }, to: { path: '^src/cli/' } },
    { name: 'no-dev-dependency-at-run-time', severity: 'error', from: { path: '^src' }, to: { dependencyTypes: ['npm-dev'] } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    parser: 'swc',
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'], extensions: ['.ts', '.js'] },
  },
};
