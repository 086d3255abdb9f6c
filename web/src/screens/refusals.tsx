import type { ScreenProps } from '../app/screens';
import { PageHead } from '../ui/layout';

export default function Refusals(_: ScreenProps) {
  return <PageHead title="Refusals" />;
}
