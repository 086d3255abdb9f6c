import type { ScreenProps } from '../app/screens';
import { PageHead } from '../ui/layout';

export default function Consumers(_: ScreenProps) {
  return <PageHead title="Consumers" />;
}
