import { appendFileSync } from 'node:fs';
import { createSqlitePubSub } from '../../src/components/pubsub/sqlite.js';
import { componentDeps, componentSpec } from './component-deps.js';

/**
 * One process at the SQLite broker, driven by broker-process.ts: `consume <dir> <log> <ms a message> <lease>` appends a line for each
 * message it begins and ends, `publish <dir> <count> <prefix>` prints each message's name when its publish has returned, `persist` too, and
 * what fails it publishes again.
 */
const [mode, dir = '', a = '', b = '', lease = '600ms'] = process.argv.slice(2);
const id = `${mode}-${process.pid}`;
const broker = await createSqlitePubSub(
  componentSpec('pubsub.sqlite', {
    connectionString: 'shared.db',
    processingTimeout: lease,
    redeliverInterval: '20ms',
    maxInFlight: '4',
  }),
  componentDeps(dir, id),
);

if (mode === 'consume') {
  await broker.subscribe({ topic: 'orders', consumerId: 'group', metadata: {} }, async (message) => {
    const text = message.data.toString();
    appendFileSync(a, `begin ${text} ${process.pid} ${message.attempt}\n`);
    await new Promise((resolve) => setTimeout(resolve, Number(b)));
    appendFileSync(a, `end ${text} ${process.pid} ${message.attempt}\n`);
  });
  console.log('ready');
  // The broker's own timers keep nothing alive.
  setInterval(() => {}, 60_000);
  process.on('SIGTERM', () => void broker.close().then(() => process.exit(0)));
} else {
  console.log('ready');
  for (let i = 0; i < Number(a); i++) {
    const text = `${b}${i}`;
    const publish = () => broker.publish({ topic: 'orders', data: Buffer.from(text), contentType: 'text/plain', metadata: {} });
    if (mode === 'persist') await persist(publish);
    else await publish();
    process.stdout.write(`published ${text}\n`);
  }
  await broker.close();
}

async function persist(publish: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await publish();
    } catch (error) {
      process.stdout.write(`failed ${(error as Error).message}\n`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
