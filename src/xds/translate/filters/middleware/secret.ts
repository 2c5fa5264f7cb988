import { ApiVersion } from '../../../../gen/envoy/config/core/v3/config_source.js';
import { SdsSecretConfig } from '../../../../gen/envoy/extensions/transport_sockets/tls/v3/secret.js';
import type { BuiltStep } from '../../../../model/middleware/pipeline.js';

/** @returns where Envoy finds a secret of the component: in a file of its own sidecar, which writes the name of the secret into it */
export const localSecret = ({ handler, local }: BuiltStep, secret: string): SdsSecretConfig =>
  SdsSecretConfig.fromPartial({
    name: `${handler.name}|${secret}`,
    sdsConfig: {
      configSourceSpecifier: { $case: 'pathConfigSource', value: { path: local?.secretFiles[secret] ?? '' } },
      resourceApiVersion: ApiVersion.V3,
    },
  });
