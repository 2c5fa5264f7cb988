import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ComponentDeps, ComponentSpec } from '../../src/blocks/component.js';
import { silentLogger } from '../../src/telemetry/logger.js';

/** @returns a directory that is gone after the running test */
export function testDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'weft-test-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export function componentDeps(dataDir: string, appId = 'app'): ComponentDeps {
  return { appId, namespace: 'default', instanceId: `${appId}-1`, dataDir, logger: silentLogger };
}

/** @returns the spec a factory gets; metadata names in any case */
export function componentSpec(type: string, metadata: Record<string, string> = {}): ComponentSpec {
  const lowered = Object.entries(metadata).map(([name, value]) => [name.toLowerCase(), value] as const);
  return { name: 'store', type, version: 'v1', metadata: new Map(lowered), source: 'test' };
}
