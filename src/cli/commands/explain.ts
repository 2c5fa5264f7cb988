import { type Command, Option } from 'commander';
import type { ExplainedBackend, Explanation } from '../../control/explain.js';
import { controlPlaneOption, withExamples } from '../args.js';
import { readStatus } from '../control-plane-client.js';
import { processTerminal } from '../terminal.js';

interface Flags {
  readonly controlPlaneAddress: string;
  readonly output: 'text' | 'json';
  readonly method: string;
  readonly header?: readonly string[];
  readonly from?: string;
}

export function define(command: Command): void {
  command
    .argument('<app>', 'app id, or <app id>.<namespace>')
    .argument('[path]', "the method's path, as the app would see it", '/')
    .option('-X, --method <method>', 'HTTP method', 'GET')
    .option('-H, --header <name:value>', 'a header of the call (repeatable)', (value, all: readonly string[] = []) => [
      ...all,
      value,
    ])
    .option('--from <app-id>', 'the app that calls')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .addOption(controlPlaneOption())
    .action(show);
  withExamples(command, [
    ['Where a call goes', 'weft explain orders /items/7'],
    ['Which version a canary header gets', 'weft explain orders /items -H "x-canary: always"'],
  ]);
}

async function show(app: string, path: string, { controlPlaneAddress, output, method, header = [], from }: Flags): Promise<void> {
  const query = new URLSearchParams({ path: path.startsWith('/') ? path : `/${path}`, method, ...(from ? { from } : {}) });
  for (const line of header) query.append('header', line);
  const answer = await readStatus<Explanation>(controlPlaneAddress, `/v1/apps/${encodeURIComponent(app)}/explain?${query}`);
  processTerminal().line(output === 'json' ? JSON.stringify(answer, undefined, 2) : renderExplanation(answer));
}

/** @returns the call's way, line by line */
export function renderExplanation(it: Explanation): string {
  const lines: (readonly [string, string])[] = [
    ['caller', it.caller],
    ['app', it.app],
    ['rule', ruleText(it)],
    ...(it.redirect
      ? [['redirect', `${it.redirect.status} ${it.redirect.hostname ?? ''}${it.redirect.path?.value ?? ''}`] as const]
      : []),
    ...it.backends.map((backend) => ['to', backendText(backend)] as const),
    ...it.mirrors.map((mirror) => ['copied to', mirror] as const),
    ...(it.redirect || it.rule === 'refused' ? [] : [['path', it.path] as const]),
    ['timeout', timeoutText(it)],
    ['retries', retryText(it)],
    ...(it.circuitBreaker
      ? [['breaker', `opens ${opensOn(it.circuitBreaker)}, for ${it.circuitBreaker.openMs} ms`] as const]
      : []),
  ];
  return lines.map(([name, value]) => `${name.padEnd(10)} ${value}`).join('\n');
}

function ruleText({ rule, match }: Explanation): string {
  if (rule === 'app') return 'none; the call goes to the app';
  if (rule === 'refused') return 'none matches, so the call is refused with 404';
  const { path, method, headers = [], query = [] } = match ?? {};
  const conditions = [
    `${path?.kind ?? 'prefix'} ${path?.value ?? '/'}`,
    method ?? '',
    ...headers.map(({ name, value }) => `${name}: ${value}`),
    ...query.map(({ name, value }) => `?${name}=${value}`),
  ].filter((text) => text !== '');
  return `${rule} (${conditions.join(', ')})`;
}

const backendText = ({ app, percent, instances }: ExplainedBackend) =>
  `${percent} % ${app}: ${instances.length === 0 ? 'no instance' : instances.map(({ instanceId, state }) => `${instanceId} ${state}`).join(', ')}`;

function timeoutText({ requestTimeoutMs, attemptTimeoutMs }: Explanation): string {
  const parts = [
    requestTimeoutMs > 0 ? `${requestTimeoutMs} ms in all` : '',
    attemptTimeoutMs > 0 ? `${attemptTimeoutMs} ms a try` : '',
  ].filter((text) => text !== '');
  return parts.join(', ') || 'none';
}

const UNLIMITED = 0x7fff_ffff;

function retryText({ retry }: Explanation): string {
  if (!retry) return '2, of what never reached the app';
  if (retry.retries === 0) return 'none';
  const codes = [
    ...retry.statuses.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)),
    ...retry.grpcCodes.map(([from, to]) => `gRPC ${from === to ? from : `${from}-${to}`}`),
  ];
  const times = retry.retries >= UNLIMITED ? 'without end' : `${retry.retries}`;
  const wait = retry.waitMs === retry.maxWaitMs ? `${retry.waitMs} ms` : `${retry.waitMs} to ${retry.maxWaitMs} ms`;
  return `${times}, about ${wait} apart, of broken connections${codes.length > 0 ? ` and ${codes.join(', ')}` : ''}`;
}

const opensOn = ({ failures, share }: NonNullable<Explanation['circuitBreaker']>) =>
  share
    ? `when ${share.percent} % of at least ${share.calls} calls fail within ${share.intervalMs} ms`
    : `after ${failures} failures in a row`;
