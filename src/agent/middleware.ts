import { createHash } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ComponentHost, HostedComponent } from '../blocks/component-host.js';
import { phasesOf } from '../blocks/middleware/middleware-module.js';
import { messageOf } from '../errors.js';
import type { LocalMiddleware } from '../gen/weft/registry/v1/registry.js';
import type { Logger } from '../telemetry/logger.js';
import type { AttachClient } from './attach-client.js';
import type { RunDir } from './run-dir.js';

export interface MiddlewareDeps {
  readonly host: Pick<ComponentHost, 'all' | 'onChange'>;
  readonly runDir: RunDir;
  readonly attach: Pick<AttachClient, 'update'>;
  readonly logger: Logger;
}

/**
 * Tells the control plane what only this host knows of the middleware components: that their secrets lie in files for Envoy, where an
 * issuer has its keys, what a module wants to see. Until then, what depends on it lets nothing pass. @returns stop
 */
export function followMiddleware({ host, runDir, attach, logger }: MiddlewareDeps): () => void {
  let told = '[]';
  const modules = createModuleServer({ host, runDir, logger });
  const stop = host.onChange(async ({ block }) => {
    if (block !== 'middleware') return;
    const all = host.all('middleware');
    if (all.some(({ component }) => component.module)) await modules.start();
    const middleware = all.flatMap((hosted) => {
      try {
        return localMiddleware(hosted, runDir.path);
      } catch (error) {
        logger.error('a middleware’s secrets could not be written for Envoy', {
          middleware: hosted.name,
          error: messageOf(error),
        });
        return [];
      }
    });
    const text = JSON.stringify(middleware);
    if (text === told) return;
    told = text;
    attach.update({ middleware });
  });
  return () => {
    stop();
    modules.close();
  };
}

/** The server for modules: started with the first of them, and then it stays. */
function createModuleServer({ host, runDir, logger }: Pick<MiddlewareDeps, 'host' | 'runDir' | 'logger'>) {
  let server: Promise<{ close(): void }> | undefined;
  const moduleOf = (name: string) => host.all('middleware').find((it) => it.name === name)?.component.module;
  const start = async () => {
    const { startExtProcServer } = await import('../extproc/server.js');
    return startExtProcServer({ socket: runDir.sockets.extProc, moduleOf, logger });
  };
  return {
    async start(): Promise<void> {
      server ??= start();
      await server;
    },
    close: () => void server?.then(({ close }) => close()).catch(() => {}),
  };
}

function localMiddleware({ name, contentVersion, component }: HostedComponent<'middleware'>, dir: string): LocalMiddleware[] {
  const { secrets = new Map<string, string>(), jwksUrl = '', module } = component;
  if (secrets.size === 0 && jwksUrl === '' && !module) return [];
  const files = [...secrets].map(([secret, value]) => [secret, writeSecret(dir, `${name}|${secret}`, value)] as const);
  const phases = module ? [...phasesOf(module)] : [];
  return [{ name, version: contentVersion, secretFiles: Object.fromEntries(files), jwksUrl, phases }];
}

/** As Envoy's SDS reads it from a file, which it watches for being moved: so a new value takes the place of an old one. */
function writeSecret(dir: string, name: string, value: string): string {
  const path = join(dir, `middleware-${createHash('sha256').update(name).digest('hex').slice(0, 12)}.json`);
  const secret = {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
    name,
    generic_secret: { secret: { inline_string: value } },
  };
  writeFileSync(`${path}.new`, JSON.stringify({ version_info: '1', resources: [secret] }), { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return path;
}
