import { type Cluster, Cluster_DiscoveryType, Cluster_DnsLookupFamily } from '../../gen/envoy/config/cluster/v3/cluster.js';
import { ClusterLoadAssignment } from '../../gen/envoy/config/endpoint/v3/endpoint.js';
import type { MeshService } from '../../model/mesh-profile.js';
import { refCluster } from '../../model/names.js';
import type { AppRef } from '../../model/traffic/route.js';
import { duration, tcp } from './values.js';

/**
 * Beside another mesh (design §6, lane beside) a call goes in plain text to the service by name. The proxy of that mesh takes it from
 * there, with its own routes, splits and TLS; which instances there are is its affair, the versions of an app too.
 */
const DNS_REFRESH_MS = 5000;

/** @returns what of an app's cluster is different then */
export function meshService(
  app: AppRef,
  { hostName, port }: MeshService,
): Pick<Cluster, 'clusterDiscoveryType' | 'edsClusterConfig' | 'loadAssignment' | 'dnsLookupFamily' | 'dnsRefreshRate'> {
  const host = hostName.replaceAll('{app}', app.appId).replaceAll('{namespace}', app.namespace);
  return {
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.STRICT_DNS },
    edsClusterConfig: undefined,
    dnsLookupFamily: Cluster_DnsLookupFamily.V4_PREFERRED,
    dnsRefreshRate: duration(DNS_REFRESH_MS),
    loadAssignment: ClusterLoadAssignment.fromPartial({
      clusterName: refCluster(app),
      endpoints: [
        { lbEndpoints: [{ hostIdentifier: { $case: 'endpoint', value: { address: tcp(host, port), hostname: host } } }] },
      ],
    }),
  };
}
