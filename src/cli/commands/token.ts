import { Metadata } from '@grpc/grpc-js';
import { type Command, Option } from 'commander';
import { controlPlaneOption, withExamples } from '../args.js';
import { askAuthority } from '../identity-client.js';
import { durationOf } from '../mtls-flags.js';
import { processTerminal } from '../terminal.js';

interface Flags {
  readonly appId: string;
  readonly namespace: string;
  readonly ttl: string;
  readonly controlPlaneAddress: string;
}

export function define(command: Command): void {
  const create = command
    .command('create')
    .description('make a join token: it lets the sidecar of one app on another host get its first certificate')
    .requiredOption('-a, --app-id <id>', 'the app that the token is for')
    .addOption(new Option('--namespace <name>', 'namespace of the app').env('NAMESPACE').default('default'))
    .option('--ttl <duration>', 'how long the token can be used; certificates renew themselves without it', '1h')
    .addOption(controlPlaneOption())
    .action(createToken);
  withExamples(create, [
    ['For the sidecar of orders, usable for ten minutes', 'weft token create --app-id orders --ttl 10m'],
    [
      'On the other host',
      'weft sidecar --app-id orders --control-plane-address cp:18000 --identity-address cp:18002 --trust-anchors-file ca.crt --join-token <token>',
    ],
  ]);
}

async function createToken({ appId, namespace, ttl, controlPlaneAddress }: Flags): Promise<void> {
  const ttlMs = Math.round(durationOf(ttl, '--ttl', 1000) ?? 0);
  const { line, note } = processTerminal();
  const { token, expiresMs } = await askAuthority<{ readonly token: string; readonly expiresMs: number }>(
    controlPlaneAddress,
    (client, deadline, done) => client.createJoinToken({ appId, namespace, ttlMs }, new Metadata(), deadline, done),
  );
  note(`for ${namespace}/${appId}, until ${new Date(expiresMs).toISOString()}; whoever has it can be that app`);
  line(token);
}
