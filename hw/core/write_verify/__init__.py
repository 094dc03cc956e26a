"""Write-verify: the core programs its own cells."""
