"""What Facebook and Instagram share: Meta's Graph API. The sources are `pipelines.facebook`, `pipelines.instagram`."""
