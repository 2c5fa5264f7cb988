import { expect, it } from 'vitest';
import { envoyLog } from '../../../../src/agent/envoy/log.js';
import type { Logger } from '../../../../src/telemetry/logger.js';

function recorder(): { readonly logger: Logger; readonly lines: unknown[] } {
  const lines: unknown[] = [];
  const at = (level: string) => (message: string, fields?: Record<string, unknown>) => void lines.push([level, message, fields]);
  const logger: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: () => logger };
  return { logger, lines };
}

it('gives each line its level, across any split of the bytes', () => {
  const { logger, lines } = recorder();
  const log = envoyLog(logger);
  for (const part of ['warning\tconf', 'ig\tbad\tthing\ncritical\tmain\tend', '\ninfo\tmain\tx\n']) log.push(part);
  expect(lines).toEqual([
    ['warn', 'bad\tthing', { envoy: 'config' }],
    ['error', 'end', { envoy: 'main' }],
    ['debug', 'x', { envoy: 'main' }],
  ]);
});

it('leaves out that Envoy did not get a secret which its sidecar has told it is missing', () => {
  const { logger, lines } = recorder();
  const log = envoyLog(logger);
  const refused = (name: string) =>
    `warning\tmisc\tsds: secret '${name}' config rejected: Unexpected SDS secret (expecting ${name}): \n`;
  log.push(refused('external||pay|0123|client') + refused('weft-identity'));
  expect(lines).toHaveLength(1);
});

it('takes warnings for no news once Envoy is being stopped, and errors for news still', () => {
  const { logger, lines } = recorder();
  let stopping = false;
  const log = envoyLog(logger, { isStopping: () => stopping });
  log.push('warning\tmain\tone\n');
  stopping = true;
  log.push('warning\tmain\tcaught ENVOY_SIGTERM\ncritical\tmain\tassert failure\n');
  expect(lines.map((line) => (line as [string, string]).slice(0, 2))).toEqual([
    ['warn', 'one'],
    ['debug', 'caught ENVOY_SIGTERM'],
    ['error', 'assert failure'],
  ]);
});

it('shows what is not a log line as an error, and keeps the last lines with an unfinished one', () => {
  const { logger, lines } = recorder();
  const log = envoyLog(logger);
  log.push('error initializing configuration\n\nhalf a');
  expect(lines).toEqual([['error', 'error initializing configuration', {}]]);
  expect(log.lastLines()).toEqual(['error initializing configuration', 'half a']);
});

it('keeps no more than the last twenty lines', () => {
  const log = envoyLog(recorder().logger);
  for (let line = 0; line < 100; line += 1) log.push(`error\tmain\t${line}\n`);
  expect(log.lastLines()).toHaveLength(20);
  expect(log.lastLines().at(-1)).toBe('99');
});
