# EC2 only: the second, encrypted volume holds Greengrass and with it the spool; it outlives the instance.
set -euo pipefail
if ! mountpoint -q /greengrass; then
  root="$(lsblk -no PKNAME "$(findmnt -no SOURCE /)")"
  disk="/dev/$(lsblk -dno NAME,TYPE | awk -v root="$root" '$2 == "disk" && $1 != root { print $1; exit }')"
  blkid "$disk" >/dev/null || mkfs.ext4 -q -L greengrass "$disk"
  mkdir -p /greengrass
  grep -q LABEL=greengrass /etc/fstab || echo "LABEL=greengrass /greengrass ext4 defaults,nofail 0 2" >>/etc/fstab
  mount /greengrass
fi
