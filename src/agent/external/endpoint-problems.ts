import type { EndpointSecrets } from '../../blocks/external/endpoint-secrets.js';
import type { AttachClient } from '../attach-client.js';

const MAX_PROBLEMS = 32;
const MAX_LENGTH = 500;

/** Tells the control plane, whose status shows it, which secrets of external services this sidecar cannot read. @returns stop */
export function reportEndpointProblems(secrets: EndpointSecrets, attach: Pick<AttachClient, 'update'>): () => void {
  let told = '';
  return secrets.onChange(() => {
    const problems = secrets
      .problems()
      .slice(0, MAX_PROBLEMS)
      .map((problem) => problem.slice(0, MAX_LENGTH));
    if (problems.join('\n') === told) return;
    told = problems.join('\n');
    attach.update({ problems });
  });
}
