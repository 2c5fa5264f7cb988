import type { z } from 'zod';
import { backendTrafficPolicySchema } from './backend-traffic-policy.js';
import { componentSchema } from './component.js';
import { configurationSchema } from './configuration.js';
import { httpEndpointSchema } from './http-endpoint.js';
import { resiliencySchema } from './resiliency.js';
import { subscriptionV1Schema, subscriptionV2Schema } from './subscription.js';
import { grpcRouteSchema, httpRouteSchema, trafficSplitSchema } from './traffic.js';

/** A kind's schemas by apiVersion; '' stands for every other version, whose refusal names the right ones. */
export interface KindSchemas {
  /** The API group that documents of this kind have: another group's kind of the same name is somebody else's. */
  readonly group: string;
  readonly versions: Readonly<Record<string, z.ZodType>>;
}

const kind = (group: string, schema: z.ZodType, versions: Readonly<Record<string, z.ZodType>> = {}): KindSchemas => ({
  group,
  versions: { ...versions, '': schema },
});

/** Every kind that is read. */
export const kinds: Readonly<Record<string, KindSchemas>> = {
  Component: kind('dapr.io', componentSchema),
  Configuration: kind('dapr.io', configurationSchema),
  Subscription: kind('dapr.io', subscriptionV2Schema, { 'dapr.io/v1alpha1': subscriptionV1Schema }),
  Resiliency: kind('dapr.io', resiliencySchema),
  HTTPEndpoint: kind('dapr.io', httpEndpointSchema),
  HTTPRoute: kind('gateway.networking.k8s.io', httpRouteSchema),
  GRPCRoute: kind('gateway.networking.k8s.io', grpcRouteSchema),
  TrafficSplit: kind('split.smi-spec.io', trafficSplitSchema),
  BackendTrafficPolicy: kind('gateway.envoyproxy.io', backendTrafficPolicySchema),
};
