import { connect } from 'node:http2';
import { DeltaDiscoveryRequest } from '../../src/gen/envoy/service/discovery/v3/discovery.js';
import { resourceTypes } from '../../src/xds/resource-types.js';

export interface DeafClient {
  /** True once the server has reset the stream. */
  readonly reset: boolean;
  close(): void;
}

/** Asks for all clusters and never reads: once the flow-control window is full, nothing leaves the server any more. */
export function openDeafClient(address: string, nodeId: string): DeafClient {
  const session = connect(`http://${address}`, { settings: { initialWindowSize: 1024 } });
  session.on('error', () => {});
  const stream = session.request({
    ':method': 'POST',
    ':path': '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  let reset = false;
  stream.on('error', () => {});
  stream.on('close', () => {
    reset = true;
  });
  const body = DeltaDiscoveryRequest.encode(
    DeltaDiscoveryRequest.fromPartial({ node: { id: nodeId }, typeUrl: resourceTypes.cluster }),
  ).finish();
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.byteLength, 1);
  stream.write(Buffer.concat([head, body]));
  return {
    get reset() {
      return reset;
    },
    close: () => session.destroy(),
  };
}
