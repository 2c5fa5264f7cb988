// Generates src/gen from the protos under proto/ and from the Envoy protos that ship inside @grpc/grpc-js-xds.
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const deps = join(root, 'node_modules/@grpc/grpc-js-xds/deps');

/** Only what the translators and the xDS server name; everything these import comes along. */
const ENVOY_PROTOS = [
  'envoy/service/discovery/v3/ads.proto',
  'envoy/config/bootstrap/v3/bootstrap.proto',
  'envoy/config/cluster/v3/cluster.proto',
  'envoy/config/endpoint/v3/endpoint.proto',
  'envoy/config/listener/v3/listener.proto',
  'envoy/config/route/v3/route.proto',
  'envoy/config/trace/v3/opentelemetry.proto',
  'envoy/config/rbac/v3/rbac.proto',
  'envoy/extensions/access_loggers/file/v3/file.proto',
  'envoy/extensions/access_loggers/stream/v3/stream.proto',
  'envoy/extensions/common/matching/v3/extension_matcher.proto',
  'envoy/extensions/compression/gzip/compressor/v3/gzip.proto',
  'envoy/extensions/filters/http/compressor/v3/compressor.proto',
  'envoy/extensions/filters/http/cors/v3/cors.proto',
  'envoy/extensions/filters/http/credential_injector/v3/credential_injector.proto',
  'envoy/extensions/filters/http/ext_proc/v3/ext_proc.proto',
  'envoy/extensions/filters/http/fault/v3/fault.proto',
  'envoy/extensions/filters/http/header_mutation/v3/header_mutation.proto',
  'envoy/extensions/filters/http/jwt_authn/v3/config.proto',
  'envoy/extensions/filters/http/oauth2/v3/oauth.proto',
  'envoy/extensions/filters/http/rbac/v3/rbac.proto',
  'envoy/extensions/filters/http/router/v3/router.proto',
  'envoy/extensions/filters/http/stateful_session/v3/stateful_session.proto',
  'envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto',
  'envoy/extensions/filters/network/rbac/v3/rbac.proto',
  'envoy/extensions/http/injected_credentials/generic/v3/generic.proto',
  'envoy/extensions/http/injected_credentials/oauth2/v3/oauth2.proto',
  'envoy/extensions/http/original_ip_detection/xff/v3/xff.proto',
  'envoy/extensions/http/stateful_session/cookie/v3/cookie.proto',
  'envoy/extensions/http/stateful_session/header/v3/header.proto',
  'envoy/extensions/load_balancing_policies/maglev/v3/maglev.proto',
  'envoy/extensions/matching/input_matchers/runtime_fraction/v3/runtime_fraction.proto',
  'envoy/extensions/request_id/uuid/v3/uuid.proto',
  'envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.proto',
  'envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.proto',
  'envoy/extensions/transport_sockets/tls/v3/tls.proto',
  'envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config.proto',
  'envoy/extensions/upstreams/http/v3/http_protocol_options.proto',
  'envoy/service/ext_proc/v3/external_processor.proto',
  'envoy/service/runtime/v3/rtds.proto',
  'envoy/service/secret/v3/sds.proto',
  'envoy/type/matcher/v3/http_inputs.proto',
  'xds/type/matcher/v3/matcher.proto',
];

/** The shipped Envoy protos use a validate option that the shipped validate.proto does not know; it only affects validation. */
function dropUnknownValidateOption(dir) {
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.proto')) continue;
    const path = join(entry.parentPath, entry.name);
    const text = readFileSync(path, 'utf8');
    if (text.includes('ignore_empty')) writeFileSync(path, text.replace(/,?\s*ignore_empty: true/g, ''));
  }
}

/** Puts `fresh` in the place of `current`, so that whoever compiles meanwhile never sees half a tree. */
function swap(fresh, current) {
  const old = `${fresh}-old`;
  if (existsSync(current)) renameSync(current, old);
  renameSync(fresh, current);
  rmSync(old, { recursive: true, force: true });
}

const work = mkdtempSync(join(tmpdir(), 'weft-proto-'));
const out = join(root, `src/.gen-${process.pid}`);
try {
  for (const part of ['envoy-api', 'xds', 'googleapis']) cpSync(join(deps, part), work, { recursive: true });
  cpSync(join(deps, 'protoc-gen-validate/validate'), join(work, 'validate'), { recursive: true });
  dropUnknownValidateOption(join(work, 'envoy'));
  cpSync(join(root, 'proto/dapr'), join(work, 'dapr'), { recursive: true });
  cpSync(join(root, 'proto/weft'), join(work, 'weft'), { recursive: true });
  writeFileSync(join(work, 'buf.yaml'), 'version: v2\n');
  const paths = [...ENVOY_PROTOS, 'dapr', 'weft'].flatMap((path) => ['--path', join(work, path)]);
  const buf = join(root, 'node_modules/.bin/buf');
  mkdirSync(out);
  execFileSync(buf, ['generate', work, '--template', join(root, 'proto/buf.gen.yaml'), '--output', out, ...paths], {
    cwd: root,
    stdio: 'inherit',
  });
  swap(out, join(root, 'src/gen'));
} finally {
  rmSync(work, { recursive: true, force: true });
  rmSync(out, { recursive: true, force: true });
}
