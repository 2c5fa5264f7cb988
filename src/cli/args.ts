import { type Command, InvalidArgumentError, Option } from 'commander';
import { UsageError } from '../errors.js';

/** Parses a port for commander. @throws InvalidArgumentError, which commander prints with the flag's name */
export function portArgument(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(port >= 0 && port <= 65_535)) throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return port;
}

/** Adds examples under a verb's `--help`; each is a comment and a command line. */
export function withExamples(command: Command, examples: readonly (readonly [comment: string, line: string])[]): Command {
  const lines = examples.map(([comment, line]) => `  # ${comment}\n  ${line}`);
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n\n')}`);
}

export interface ControlPlaneAddress {
  readonly host: string;
  /** gRPC: ADS and registry. */
  readonly port: number;
  /** HTTP: status, health and metrics; always the next port. */
  readonly httpPort: number;
}

export const DEFAULT_CONTROL_PLANE = '127.0.0.1:18000';

/** The one flag that says which control plane a verb talks to. */
export function controlPlaneOption(): Option {
  return new Option(
    '--control-plane-address <host:port>',
    'gRPC address of the control plane; its HTTP status is on the next port',
  )
    .env('WEFT_CONTROL_PLANE_ADDRESS')
    .default(DEFAULT_CONTROL_PLANE);
}

/** @throws UsageError when `text` is not `host:port` */
export function parseControlPlaneAddress(text: string): ControlPlaneAddress {
  const match = /^(\[[0-9a-fA-F:]+\]|[^:[\]]+):(\d+)$/.exec(text);
  const port = Number(match?.[2]);
  if (!match || port < 1 || port > 65_534)
    throw new UsageError(`--control-plane-address ${text}: expected host:port, such as ${DEFAULT_CONTROL_PLANE}`);
  return { host: (match[1] as string).replace(/^\[|\]$/g, ''), port, httpPort: port + 1 };
}

/** Collects a repeatable flag; a value may itself be a comma-separated list, as with the Dapr CLI. */
export function listArgument(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), ...value.split(',').filter((part) => part !== '')];
}
