import { ZipkinExporter } from '@opentelemetry/exporter-zipkin';
import type { NetworkCollector } from '../../../model/telemetry.js';

export const zipkin = ({ url }: NetworkCollector): ZipkinExporter => new ZipkinExporter({ url });
