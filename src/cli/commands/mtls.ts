import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Metadata } from '@grpc/grpc-js';
import { type Command, Option } from 'commander';
import type { MtlsStatus } from '../../control/mtls-status.js';
import { UsageError } from '../../errors.js';
import { controlPlaneOption, withExamples } from '../args.js';
import { readStatus } from '../control-plane-client.js';
import { askAuthority } from '../identity-client.js';
import { durationOf } from '../mtls-flags.js';
import { ageText, renderTable } from '../table.js';
import { processTerminal } from '../terminal.js';

interface Flags {
  readonly controlPlaneAddress: string;
}

type Enabled = Extract<MtlsStatus, { readonly enabled: true }>;

export function define(command: Command): void {
  command
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .addOption(controlPlaneOption())
    .action(show);
  const renew = command
    .command('renew-certificate')
    .description('rotate the root: trusted at once beside the old one, signing a little later')
    .option('--propagation <duration>', 'how long the new root is only trusted, so that every proxy has it by then', '30s')
    .addOption(controlPlaneOption())
    .action(renewCertificate);
  withExamples(renew, [['A new root, without a failed request', 'weft mtls renew-certificate']]);
  const exported = command
    .command('export')
    .description('write the roots to trust as ca.crt: what a sidecar with a join token needs')
    .option('-o, --out <dir>', 'where to', '.')
    .addOption(controlPlaneOption())
    .action(exportRoots);
  withExamples(exported, [['Into a directory', 'weft mtls export --out ./certs']]);
  withExamples(command, [['Trust domain, roots, and who has which certificate for how long', 'weft mtls']]);
}

const read = (address: string) => readStatus<MtlsStatus>(address, '/v1/mtls');

async function readEnabled(address: string): Promise<Enabled> {
  const status = await read(address);
  if (!status.enabled) throw new UsageError(`the control plane at ${address} runs without mTLS of its own (--enable-mtls)`);
  return status;
}

async function show({ controlPlaneAddress, output }: Flags & { readonly output: 'table' | 'json' }): Promise<void> {
  const { line } = processTerminal();
  const status = await read(controlPlaneAddress);
  if (output === 'json') line(JSON.stringify(status, undefined, 2));
  else line(status.enabled ? renderMtls(status, Date.now()) : 'mTLS: off');
}

/** @returns what `weft mtls` prints */
export function renderMtls(status: Enabled, nowMs: number): string {
  const left = (ms: number) => (ms > nowMs ? `${new Date(ms).toISOString()} (in ${ageText(ms - nowMs)})` : 'expired');
  const roots = status.roots.map(({ serial, state, subject, notAfterMs }) => [serial, state, left(notAfterMs), subject]);
  const certificates = status.certificates.map(({ id, instanceId, serial, notAfterMs }) => [
    id,
    instanceId,
    serial,
    left(notAfterMs),
  ]);
  return [
    `Trust domain: ${status.trustDomain}`,
    `Certificates live ${ageText(status.certificateTtlMs)}`,
    '',
    renderTable([['ROOT', 'STATE', 'EXPIRES', 'SUBJECT'], ...roots]),
    '',
    certificates.length === 0
      ? 'No sidecar has a certificate.'
      : renderTable([['IDENTITY', 'INSTANCE', 'SERIAL', 'EXPIRES'], ...certificates]),
  ].join('\n');
}

async function renewCertificate({ controlPlaneAddress, propagation }: Flags & { readonly propagation: string }): Promise<void> {
  const propagationMs = Math.round(durationOf(propagation, '--propagation', 0) ?? 0);
  const { line } = processTerminal();
  const { signsFromMs, retiresMs } = await askAuthority<{ readonly signsFromMs: number; readonly retiresMs: number }>(
    controlPlaneAddress,
    (client, deadline, done) => client.rotateRoot({ propagationMs }, new Metadata(), deadline, done),
  );
  line(`The new root is trusted now and signs from ${new Date(signsFromMs).toISOString()}.`);
  line(`The old one is trusted until ${new Date(retiresMs).toISOString()}, when its last certificate has ended.`);
}

async function exportRoots({ controlPlaneAddress, out }: Flags & { readonly out: string }): Promise<void> {
  const { rootsPem, trustDomain } = await readEnabled(controlPlaneAddress);
  mkdirSync(resolve(out), { recursive: true });
  const path = join(resolve(out), 'ca.crt');
  writeFileSync(path, `${rootsPem.trim()}\n`);
  processTerminal().line(`The roots of trust domain ${trustDomain} are in ${path}.`);
}
