import type { Command } from 'commander';
import { UsageError } from '../../errors.js';
import { httpVerb, methodPath } from '../api-path.js';
import { controlPlaneOption, withExamples } from '../args.js';
import { findApp } from '../control-plane-client.js';
import { callSidecar, contentTypeOf, type PayloadFlags, readPayload } from '../sidecar-call.js';
import { processTerminal } from '../terminal.js';

interface Flags extends PayloadFlags {
  readonly appId: string;
  readonly method: string;
  readonly verb: string;
  readonly controlPlaneAddress: string;
}

export function define(command: Command): void {
  command
    .requiredOption('-a, --app-id <id>', 'the app to call')
    .requiredOption('-m, --method <path>', 'the method, a path of the app; may hold a query string')
    .option('-v, --verb <verb>', 'the HTTP verb', 'POST')
    .option('-d, --data <json>', 'the request body')
    .option('-f, --data-file <path>', 'a file with the request body')
    .addOption(controlPlaneOption())
    .action(invoke);
  withExamples(command, [
    ['Call a method of an app by name', `weft invoke --app-id orders --method checkout --data '{"item":"loom"}'`],
    ['With another verb', 'weft invoke -a orders -m seen -v GET'],
  ]);
}

async function invoke({ appId, method, verb, controlPlaneAddress, ...payload }: Flags): Promise<void> {
  const { line } = processTerminal();
  const body = readPayload(payload);
  const path = methodPath(method);
  const upper = httpVerb(verb);
  if (body !== undefined && (upper === 'GET' || upper === 'HEAD'))
    throw new UsageError(`--verb ${verb} takes no --data; use POST, PUT, PATCH or DELETE`);
  const { httpPort } = await findApp(controlPlaneAddress, appId, '--app-id');
  const answer = await callSidecar({
    httpPort,
    path: `/v1.0/invoke/${encodeURIComponent(appId)}/method/${path}`,
    verb: upper,
    body,
    headers: body && { 'content-type': contentTypeOf(body) },
  });
  if (answer.text !== '') line(answer.text);
  if (answer.status >= 400) throw new UsageError(`${upper} ${method} of ${appId} answered ${answer.status}`);
}
