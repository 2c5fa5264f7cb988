import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startEchoApp } from '../../support/bidi.js';
import { type Capture, startCapture } from '../../support/capture.js';
import { eventually } from '../../support/eventually.js';
import { grpcCall } from '../../support/http-call.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';
import { freePort } from '../../support/ports.js';

/**
 * mTLS left to another mesh. A plain proxy stands for that mesh: it takes what is sent to service names, keeps a copy, and hands it on
 * to the callee. `*.localhost` is this host (RFC 6761), so service names need no name server.
 */

const TLS_HANDSHAKE = 22;
const HTTP2_PREFACE = 'PRI * HTTP/2.0';

let mesh: Mesh;
let caller: SidecarProcess;
let wire: Capture;
let dir: string;
const closers: (() => void)[] = [];

beforeAll(async () => {
  const inbound = await freePort();
  wire = await startCapture(inbound);
  closers.push(wire.close);
  dir = mkdtempSync(join(tmpdir(), 'weft-mesh-'));
  const service = { hostName: '{app}.{namespace}.svc.localhost', port: wire.port };
  const document = (spec: object) =>
    JSON.stringify({ apiVersion: 'dapr.io/v1alpha1', kind: 'Configuration', metadata: { name: 'mesh' }, spec });
  writeFileSync(join(dir, 'mesh.yaml'), document({ mesh: { provider: 'generic', service } }));
  mesh = await createMesh({ controlPlane: ['--config', join(dir, 'mesh.yaml')] });
  const echo = await startEchoApp();
  closers.push(echo.close);
  const args = ['--inbound-port', String(inbound), '--app-protocol', 'grpc'];
  const orders = await mesh.sidecar({ appId: 'orders', appPort: echo.port, args });
  caller = await mesh.sidecar({ appId: 'caller' });
  await Promise.all([orders.ready(), caller.ready()]);
});
afterAll(async () => {
  for (const close of closers) close();
  await mesh.close();
  rmSync(dir, { recursive: true, force: true });
});

it('calls go in plain text to the host name of the service, and nowhere else', async () => {
  // The mirror app of this test speaks gRPC only, so the answer to HTTP comes from its sidecar; the way there is what counts.
  await eventually(async () => {
    const answer = await fetch(`${caller.api}/v1.0/invoke/orders/method/plain`, { headers: { 'x-text': 'for-everybody' } });
    await answer.text();
    expect(wire.bytes().toString('latin1')).toContain('GET /plain HTTP/1.1\r\nhost: orders.default.svc.localhost\r\n');
  });
  expect(wire.bytes().toString('latin1')).toContain('x-text: for-everybody');
  for (const opening of wire.openings()) expect(opening[0]).not.toBe(TLS_HANDSHAKE);
});

it('gRPC likewise', async () => {
  const before = wire.openings().length;
  const { status } = await grpcCall(`http://127.0.0.1:${caller.grpcPort}`, '/test.Unknown/Method', { 'dapr-app-id': 'orders' });
  // The app knows no such method: it was the app that said so.
  expect(status).toBe('12');
  const openings = wire.openings().slice(before);
  expect(openings.some((bytes) => bytes.toString('latin1').startsWith(HTTP2_PREFACE))).toBe(true);
});

it('has no certificate authority', async () => {
  const { text } = await mesh.world.run(['mtls', '-o', 'json']);
  expect(JSON.parse(text)).toMatchObject({ enabled: false });
});

it('refuses a switch whose parts do not go together, and names the field', async () => {
  const path = join(dir, 'wrong.yaml');
  const refused = async (spec: string) => {
    writeFileSync(
      path,
      `apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: { name: wrong }\nspec: { mesh: ${spec} }\n`,
    );
    const cli = mesh.world.weft(['control-plane', '--port', '0', '--http-port', '0', '--config', path]);
    const [line] = await cli.until(/spec\.mesh\..*/);
    cli.signal('SIGTERM');
    await cli.exit();
    return line;
  };
  expect(await refused('{ mtls: defer }')).toMatch(/spec\.mesh\.mtls: leaves it to a mesh, and provider names none/);
  expect(await refused('{ provider: istio, mtls: own, service: { port: 1 } }')).toMatch(/spec\.mesh\.service: .*mtls: own/);
  expect(await refused('{ provider: istio, service: { hostName: all.example.org } }')).toMatch(
    /spec\.mesh\.service\.hostName: expected a host name with \{app\}/,
  );
});
