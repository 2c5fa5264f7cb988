import type { Command } from 'commander';
import { UsageError } from '../../errors.js';
import { nameParts } from '../api-path.js';
import { controlPlaneOption, withExamples } from '../args.js';
import { findApp } from '../control-plane-client.js';
import { callSidecar, contentTypeOf, type PayloadFlags, readPayload } from '../sidecar-call.js';
import { processTerminal } from '../terminal.js';

interface Flags extends PayloadFlags {
  readonly publishAppId: string;
  readonly pubsub: string;
  readonly topic: string;
  readonly metadata?: string;
  readonly controlPlaneAddress: string;
}

export function define(command: Command): void {
  command
    .requiredOption('-i, --publish-app-id <id>', 'the app that publishes')
    .requiredOption('-p, --pubsub <name>', 'the pub/sub component')
    .requiredOption('-t, --topic <name>', 'the topic')
    .option('-d, --data <json>', 'the message')
    .option('-f, --data-file <path>', 'a file with the message')
    .option('-m, --metadata <json>', 'publish metadata, such as {"ttlInSeconds":"60"}')
    .addOption(controlPlaneOption())
    .action(publish);
  withExamples(command, [
    [
      'Publish a message in the name of an app',
      `weft publish --publish-app-id checkout --pubsub pubsub --topic shipments --data '{"orderId":7}'`,
    ],
  ]);
}

async function publish(flags: Flags): Promise<void> {
  const { publishAppId, pubsub, topic, metadata, controlPlaneAddress } = flags;
  // A topic may hold slashes: Dapr takes the rest of the path for the topic.
  const where = `${nameParts('--pubsub', pubsub)}/${nameParts('--topic', ...topic.split('/'))}`;
  const body = readPayload(flags) ?? Buffer.alloc(0);
  const query = new URLSearchParams(metadataPairs(metadata)).toString();
  const { httpPort } = await findApp(controlPlaneAddress, publishAppId, '--publish-app-id');
  const answer = await callSidecar({
    httpPort,
    path: `/v1.0/publish/${where}${query && `?${query}`}`,
    verb: 'POST',
    body,
    headers: { 'content-type': publishType(body) },
  });
  if (answer.status >= 300) throw new UsageError(`publish to ${topic} of ${pubsub} answered ${answer.status}: ${answer.text}`);
  processTerminal().line(`published to ${topic} of ${pubsub}`);
}

function metadataPairs(text: string | undefined): [string, string][] {
  if (text === undefined) return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new UsageError(`--metadata ${text}: expected a JSON object, such as {"ttlInSeconds":"60"}`);
  return Object.entries(value).map(([key, one]) => [`metadata.${key}`, String(one)]);
}

/** A message that is a CloudEvent already passes through as it is. */
function publishType(body: Buffer): string {
  const type = contentTypeOf(body);
  if (type !== 'application/json') return type;
  const value: unknown = JSON.parse(body.toString('utf8'));
  const isEvent = value !== null && typeof value === 'object' && 'specversion' in value && 'id' in value && 'type' in value;
  return isEvent ? 'application/cloudevents+json' : type;
}
