import type { ScreenProps } from '../app/screens';
import { PageHead } from '../ui/layout';

export default function Policy(_: ScreenProps) {
  return <PageHead title="Policy" />;
}
