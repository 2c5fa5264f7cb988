import { Command } from 'commander';
import { messageOf, UsageError } from '../errors.js';

/**
 * Each verb is one file under commands/, imported only when its verb is on the command line: `weft sidecar` must start fast
 * and `weft --help` must not load a server.
 */
const verbs: Readonly<
  Record<string, { readonly summary: string; readonly load: () => Promise<{ define(command: Command): void }> }>
> = {};

/** Runs one command line. Mistakes of the user are one line on stderr and exit code 1; anything else also prints its stack. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('weft').description("Dapr's building blocks on stock Envoy").version('0.1.0');
  const wanted = argv.slice(2).find((word) => !word.startsWith('-'));
  for (const [verb, { summary, load }] of Object.entries(verbs)) {
    const command = program.command(verb).description(summary);
    if (wanted === verb || (wanted === 'help' && argv.includes(verb))) (await load()).define(command);
  }
  await program.parseAsync(argv as string[]);
}

main(process.argv).catch((error: unknown) => {
  process.stderr.write(
    error instanceof UsageError
      ? `weft: ${error.message}\n`
      : `weft: ${error instanceof Error ? error.stack : messageOf(error)}\n`,
  );
  process.exit(1);
});
