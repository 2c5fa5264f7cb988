import { Command } from 'commander';
import { messageOf, UsageError } from '../errors.js';

interface Verb {
  readonly summary: string;
  readonly load: () => Promise<{ define(command: Command): void }>;
}

/**
 * Each verb is one file under commands/, imported only when its verb is on the command line: `weft sidecar` must start fast
 * and `weft --help` must not load a server.
 */
const verbs: Readonly<Record<string, Verb>> = {
  run: { summary: 'run apps with their sidecars, and a control plane if none answers', load: () => import('./commands/run.js') },
  list: { summary: 'list the running apps', load: () => import('./commands/list.js') },
  stop: { summary: 'stop apps', load: () => import('./commands/stop.js') },
  logs: { summary: 'show the log of an app or of its sidecar', load: () => import('./commands/logs.js') },
  invoke: { summary: 'call a method of an app by name', load: () => import('./commands/invoke.js') },
  publish: { summary: 'publish a message to a topic', load: () => import('./commands/publish.js') },
  components: { summary: 'list the components that running apps have loaded', load: () => import('./commands/components.js') },
  sidecar: { summary: 'run the sidecar of one app', load: () => import('./commands/sidecar.js') },
  'control-plane': { summary: 'run the control plane: registry and xDS', load: () => import('./commands/control-plane.js') },
  'proxy-status': { summary: 'show whether every proxy has its configuration', load: () => import('./commands/proxy-status.js') },
  'proxy-config': { summary: 'show what the proxies of an app were sent', load: () => import('./commands/proxy-config.js') },
  mtls: { summary: 'show identities, certificates and roots; rotate and export roots', load: () => import('./commands/mtls.js') },
  token: { summary: 'make join tokens for sidecars on other hosts', load: () => import('./commands/token.js') },
  routes: { summary: 'show traffic rules and whether they are in force', load: () => import('./commands/routes.js') },
  explain: { summary: 'show where a call to an app goes, and why', load: () => import('./commands/explain.js') },
  envoy: { summary: 'find Envoy, or fetch it once, and print its path', load: () => import('./commands/envoy.js') },
  quickstart: { summary: 'run examples/quickstart and show what travelled', load: () => import('./commands/quickstart.js') },
};

/** Commander reports a mistake on two lines or more ("error: …", "(Did you mean …?)"); ours are one. */
function oneLine(text: string): string {
  const line = text.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  return `weft: ${line.trim().replace('(Did you mean', '(did you mean')}\n`;
}

/** Runs one command line. Mistakes of the user are one line on stderr and exit code 1; anything else also prints its stack. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('weft')
    .description("Dapr's building blocks on stock Envoy")
    .version('0.1.0')
    .enablePositionalOptions()
    .configureOutput({ outputError: (text, write) => write(oneLine(text)) })
    .addHelpText('after', '\n`weft <verb> --help` shows a verb with examples. Start here: weft quickstart');
  const wanted = argv.slice(2).find((word) => !word.startsWith('-'));
  for (const [verb, { summary, load }] of Object.entries(verbs)) {
    const command = program.command(verb).description(summary);
    if (wanted === verb || (wanted === 'help' && argv.includes(verb))) (await load()).define(command);
  }
  await program.parseAsync(wanted === 'sidecar' ? withTwoDashes(argv) : (argv as string[]));
}

/** daprd takes `-app-id` for `--app-id`, and scripts that start it are written so. Weft's sidecar has no flags of one letter to mistake it for. */
const withTwoDashes = (argv: readonly string[]): string[] =>
  argv.map((word, index) => (index > 1 && /^-[a-z][a-z-]+(=|$)/.test(word) ? `-${word}` : word));

main(process.argv).catch((error: unknown) => {
  process.stderr.write(
    error instanceof UsageError
      ? `weft: ${error.message}\n`
      : `weft: ${error instanceof Error ? error.stack : messageOf(error)}\n`,
  );
  process.exit(1);
});
